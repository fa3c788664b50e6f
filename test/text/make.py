"""What transformers' CLIPTokenizer makes of hard strings, with the small vocabulary of the tests:

    python3 test/text/make.py test/fixtures/latent test/fixtures/text [CLIP_BPE.txt.gz]

Writes tokens.json: for each tokenizer, each string with its numbers. With the vocabulary that OpenAI published
(bpe_simple_vocab_16e6.txt.gz, which the package clip-anytorch carries) also tokens-clip.json, and
the vocabulary itself as vocab.json and merges.txt, which are not part of the project.
"""

import gzip
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "pipeline/latent"))
from transformers import CLIPTokenizer  # noqa: E402
from vocabulary import byte_characters  # noqa: E402

strings = [
    "",
    " ",
    "a photo of a cat",
    "A PHOTO of the Cat",
    "  leading,   inner \t tabs\nand line ends\r\n ",
    "blurry, bad!!! really?! (yes) [no] {maybe} <tag> a/b \\ c|d",
    "don't we'll they've I'm it's he'd you're O'Neill 'quoted' rock'n'roll",
    "1234567890 3.14159 1,000,000 v2.0 4k 8x10 ½ ² ٣ Ⅷ ①",
    "café cafe\u0301 naïve Ünïcödé ÅNGSTRÖM straße İstanbul ΣΊΣΥΦΟΣ ǅ",
    "日本語のテキスト 中文字符 한국어 ภาษาไทย हिन्दी العربية עברית",
    "emoji 🐱 👩‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽 end",
    "curly “quotes” and ‘single’ — dash – ellipsis… nbsp\u00a0here ideographic\u3000space",
    "zero\u200bwidth joiner\u200d bom\ufeff soft\u00adhyphen",
    "math ∑∫√∞ ≠ ≤ arrows →⇒ currency €£¥₿ ©®™",
    "(masterpiece:1.2), [[bad hands]], <lora:style:0.8>, AND BREAK",
    "a photo <|endoftext|> of <|startoftext|> ends",
    "under_score snake_case camelCase kebab-case a.b.c http://example.org/?q=1&r=2#x me@example.org",
    "&amp; &lt;html&gt; &#39;",
    "control \u0001\u0007 characters \u007f and \u0085 nel",
    "the the the " * 40,
    "x" * 200,
    "!" * 5 + " hello! world !",
    "ÃƒÂ© mojibake",
    "ﬁ ligature ＦＵＬＬ ｗｉｄｔｈ ｶﾀｶﾅ",
    "n't 'S 'T 'RE 'LL ’s ’t",
]


def tokens(folder):
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    encode = lambda s: tokenizer(s, padding="max_length", max_length=77, truncation=True).input_ids
    return [[s, encode(s)] for s in strings]


def write(file, content):
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


pipelines, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
write(out / "tokens.json", {name: tokens(pipelines / name / "tokenizer") for name in ("sd15", "sd21")})
if len(sys.argv) > 3:
    lines = gzip.open(sys.argv[3]).read().decode("utf-8").split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    characters = byte_characters()
    names = characters + [c + "</w>" for c in characters] + [m.replace(" ", "") for m in merges]
    vocab = {name: i for i, name in enumerate([*names, "<|startoftext|>", "<|endoftext|>"])}
    folder = out / "clip"
    folder.mkdir(exist_ok=True)
    write(folder / "vocab.json", vocab)
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    write(out / "tokens-clip.json", tokens(folder))
