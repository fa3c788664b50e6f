"""A small vocabulary of CLIP's form: bytes, a few merges, and the two ends."""

import json

#: Merges in the order of their rank; `</w>` ends a word.
merges = """t h|th e</w>|a t</w>|c at</w>|p h|o t|ph ot|phot o</w>|o f</w>|b l|u r|bl ur|blur r|blurr y</w>|b a|ba d</w>
i n|in g</w>|s t|e r</w>|r e|1 2|d o|do g</w>|, ,|ã ģ|' s</w>|n '|l l</w>|! !|o r|w or|wor l|worl d</w>|Ã ©</w>"""


def byte_characters():
    """Each byte as the character that stands for it in GPT-2's and CLIP's vocabularies."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


def write_vocabulary(folder, pad="<|endoftext|>"):
    """Writes vocab.json, merges.txt and the two files of settings. Returns how many tokens there are."""
    folder.mkdir(parents=True, exist_ok=True)
    characters = byte_characters()
    pairs = list(dict.fromkeys(pair for line in merges.splitlines() for pair in line.split("|")))
    tokens = characters + [c + "</w>" for c in characters] + ["".join(pair.split(" ")) for pair in pairs]
    tokens = list(dict.fromkeys(tokens)) + ["<|startoftext|>", "<|endoftext|>"]
    known = set(tokens)
    assert all(part in known for pair in pairs for part in pair.split(" ")), "a merge of what is no token"
    vocab = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n", encoding="utf-8")
    ends = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": pad}
    (folder / "special_tokens_map.json").write_text(json.dumps(ends, indent=2) + "\n")
    settings = {**ends, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return len(vocab)
