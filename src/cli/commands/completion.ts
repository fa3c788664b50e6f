/** `dsg completion`: scripts that let a shell complete commands, options and their choices. */
import type { Command, Option } from 'commander';
import type { Declare } from './command.ts';

const shells: Readonly<Record<string, (program: Command) => string>> = { bash, zsh, fish };

export const completion: Declare = (command, { io, finish, complete }) => {
  command.registeredArguments[0]?.choices(Object.keys(shells));
  command.addHelpText(
    'after',
    `
Examples:
  # bash: in ~/.bashrc
  source <(dsg completion bash)
  # zsh: in ~/.zshrc
  source <(dsg completion zsh)
  # fish
  dsg completion fish > ~/.config/fish/completions/dsg.fish`,
  );
  command.action(async (shell: string) => {
    const program = command.parent as Command;
    for (const each of program.commands) await complete(each);
    io.stdout.write(shells[shell]?.(program) ?? '');
    finish(0);
  });
};

function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((f) => f !== undefined && f !== null);
}

function choicesOf(command: Command): string[] {
  return command.registeredArguments.flatMap((a) => a.argChoices ?? []);
}

/** What follows an option: one of its choices, a file, or nothing. */
function valueOf(option: Option): { choices: readonly string[] } | 'file' | undefined {
  if (option.argChoices) return { choices: option.argChoices };
  return option.required ? 'file' : undefined;
}

function bash(program: Command): string {
  const values = program.commands.flatMap((command) =>
    optionsOf(command).flatMap((option) => {
      const value = valueOf(option);
      if (!value) return [];
      const before = flagsOf(option).map((f) => `'${command.name()} ${f}'`);
      const action = value === 'file' ? 'return' : `words='${value.choices.join(' ')}'`;
      return [`    ${before.join('|')}) ${action} ;;`];
    }),
  );
  const perCommand = (words: (command: Command) => string[]): string =>
    program.commands
      .map((command) => ({ name: command.name(), list: words(command).join(' ') }))
      .filter(({ list }) => list !== '')
      .map(({ name, list }) => `      ${name}) words='${list}' ;;`)
      .join('\n');
  return `_dsg() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=
  COMPREPLY=()
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join('\n')}
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    words='${program.commands.map((c) => c.name()).join(' ')}'
  elif [[ -z $words && $current == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${perCommand((command) => optionsOf(command).flatMap(flagsOf))}
    esac
  elif [[ -z $words ]]; then
    case "\${COMP_WORDS[1]}" in
${perCommand(choicesOf)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _dsg dsg
`;
}

function zsh(program: Command): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, '\\$&');
  const spec = (option: Option): string => {
    const flags = flagsOf(option);
    const after = valueOf(option);
    const action = after === 'file' ? '_files' : `(${after?.choices.join(' ')})`;
    const value = after ? `:value:${action}` : '';
    const names = flags.length > 1 ? `'(${flags.join(' ')})'{${flags.join(',')}}` : flags.join('');
    return `${names}'[${quote(option.description)}]${value}'`;
  };
  const cases = program.commands.map((command) => {
    const words = choicesOf(command);
    const operand = words.length > 0 ? `'*:word:(${words.join(' ')})'` : "'*:file:_files'";
    const specs = [...optionsOf(command).map(spec), operand];
    return `    ${command.name()}) _arguments ${specs.join(' \\\n      ')} ;;`;
  });
  const names = program.commands.map((c) => `'${c.name()}:${quote(c.summary())}'`);
  return `#compdef dsg
_dsg() {
  if (( CURRENT == 2 )); then
    local -a names=(${names.join(' ')})
    _describe command names
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${cases.join('\n')}
  esac
}
compdef _dsg dsg
`;
}

function fish(program: Command): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = program.commands.flatMap((command) => {
    const name = command.name();
    const within = `complete -c dsg -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c dsg -n __fish_use_subcommand -f -a ${name} -d ${quote(command.summary())}`,
      ...choicesOf(command).map((word) => `${within} -f -a ${word}`),
      ...optionsOf(command).map((option) => {
        const names = flagsOf(option).map((f) =>
          f.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '),
        );
        const after = valueOf(option);
        const action = after === 'file' ? ' -r' : ` -xa ${quote(after?.choices.join(' ') ?? '')}`;
        const value = after ? action : '';
        return `${within} ${names.join(' ')}${value} -d ${quote(option.description)}`;
      }),
    ];
  });
  return `${lines.join('\n')}\n`;
}
