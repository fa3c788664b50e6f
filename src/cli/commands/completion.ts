/** `dsg completion`: scripts that let a shell complete commands, options and their choices. */
import { Argument, Command, type Option } from 'commander';
import type { MakeCommand } from './command.ts';

const shells: Readonly<Record<string, (program: Command) => string>> = { bash, zsh, fish };

export const completion: MakeCommand = (io, finish) => {
  const command = new Command('completion')
    .summary('Print a completion script for a shell.')
    .description('Print a completion script for a shell.')
    .addArgument(new Argument('<shell>').choices(Object.keys(shells)))
    .addHelpText(
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
  return command.action((shell: string) => {
    io.stdout.write(shells[shell]?.(command.parent as Command) ?? '');
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

function bash(program: Command): string {
  const values = program.commands.flatMap((command) =>
    optionsOf(command).flatMap((option) =>
      option.argChoices
        ? [
            `    ${flagsOf(option)
              .map((f) => `'${command.name()} ${f}'`)
              .join('|')}) words='${option.argChoices.join(' ')}' ;;`,
          ]
        : option.required
          ? [
              `    ${flagsOf(option)
                .map((f) => `'${command.name()} ${f}'`)
                .join('|')}) return ;;`,
            ]
          : [],
    ),
  );
  const flags = program.commands.map((command) => {
    const words = [...optionsOf(command).flatMap(flagsOf), ...choicesOf(command)];
    return `      ${command.name()}) words='${words.join(' ')}' ;;`;
  });
  const names = program.commands.map((c) => c.name()).join(' ');
  return `_dsg() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=
  COMPREPLY=()
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join('\n')}
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    words='${names}'
  elif [[ -z $words ]]; then
    case "\${COMP_WORDS[1]}" in
${flags.join('\n')}
    esac
    # Without a dash it is a file, unless the command has words of its own.
    [[ $current != -* && $words == -* ]] && return
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
    const value = option.argChoices
      ? `:value:(${option.argChoices.join(' ')})`
      : option.required
        ? ':value:_files'
        : '';
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
        const value = option.argChoices
          ? ` -xa ${quote(option.argChoices.join(' '))}`
          : option.required
            ? ' -r'
            : '';
        return `${within} ${names.join(' ')}${value} -d ${quote(option.description)}`;
      }),
    ];
  });
  return `${lines.join('\n')}\n`;
}
