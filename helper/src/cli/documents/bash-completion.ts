// SPDX-License-Identifier: GPL-2.0-or-later
import {
    type Command,
    commands,
    type Operand,
    type Option,
    options,
    optionsOf,
    switchWords,
    type ValueKind,
} from '../commands.ts';
import {COMPLETE} from '../parse.ts';
import {type Choice, firstWords, groups, verbsOf} from './command-words.ts';

/** Completion for bash(1); needs nothing of the package bash-completion. */
export function bashCompletion(): string {
    return `# SPDX-License-Identifier: GPL-2.0-or-later
# Made from snowctl's table of commands.

# Offers those lines of standard input that begin with $1, up to their tab.
_snowctl_offer() {
    local name rest
    while IFS=$'\\t' read -r name rest; do
        if [[ $name == "$1"* ]]; then COMPREPLY+=("$name"); fi
    done
}

_snowctl() {
    local cur=\${COMP_WORDS[COMP_CWORD]} option='' word i kind
    local words=() operands=() repeats='' choices='' offered=''
    COMPREPLY=()

    # The words before the cursor without options; bash makes three words of --option=value.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        case $word in
            =) option+== ;;
            -*) option=$word ;;
            *)
                case $option in
                    ${valuePatterns()}) ;;
                    *) words+=("$word") ;;
                esac
                option=''
                ;;
        esac
    done
    if [[ $cur == = ]]; then option+== cur=''; fi

    case $option in
${options.flatMap(valueCase).join('\n')}
    esac

    case "\${words[0]-} \${words[1]-}" in
${commands
    .filter(({name}) => name !== 'help')
    .map(commandCase)
    .join('\n')}
${groups().flatMap(groupCases).join('\n')}
        'help '*) words=("\${words[@]:1}") operands=(fixed) choices=${lines(firstWords())} ;;
        *) operands=(fixed) choices=${lines(firstWords())} offered='--help --version' ;;
    esac

    if [[ $cur == -* ]]; then
        _snowctl_offer "$cur" <<<"\${offered// /$'\\n'}"
        if [[ \${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
        return
    fi
    kind=\${operands[\${#words[@]}]-$repeats}
    case $kind in
        '') ;;
        fixed) _snowctl_offer "$cur" <<<"$choices" ;;
        setting)
            _snowctl_offer "$cur" < <(snowctl ${COMPLETE} setting 2>/dev/null)
            compopt -o nospace
            ;;
        version) _snowctl_offer "$cur" < <(snowctl ${COMPLETE} version "\${words[0]}" 2>/dev/null) ;;
        *) _snowctl_offer "$cur" < <(snowctl ${COMPLETE} "$kind" 2>/dev/null) ;;
    esac
}

complete -F _snowctl snowctl
`;
}

/** Where the next word belongs to the option. */
function valuePatterns(): string {
    return options
        .flatMap(({name, value}) => {
            if (!value) return [];
            return value.fallback ? [`--${name}=`] : [`--${name}`, `--${name}=`];
        })
        .join(' | ');
}

/** What bash itself knows. */
const valueOffers: Readonly<Record<ValueKind, string>> = {
    directory: generated('-o filenames', '-d'),
    file: generated('-o filenames', '-f'),
    user: generated('', '-u'),
    text: ':',
    choice: ':',
};

function generated(options: string, action: string): string {
    return [
        ...(options === '' ? [] : [`compopt ${options}`]),
        `mapfile -t COMPREPLY < <(compgen ${action} -- "$cur")`,
    ].join('\n            ');
}

function valueCase({name, value}: Option): readonly string[] {
    if (!value) return [];
    const pattern = value.fallback ? `--${name}=` : `--${name} | --${name}=`;
    const offer = value.choices
        ? `_snowctl_offer "$cur" <<<${lines(value.choices.map(choice => [choice, '']))}`
        : valueOffers[value.kind];
    return [
        `        ${pattern})
            ${offer}
            return
            ;;`,
    ];
}

function commandCase(command: Command): string {
    const {name, operands} = command;
    const size = name.split(' ').length;
    const kinds = operands.map(kindWord);
    const last = operands.at(-1);
    const parts = [
        `words=("\${words[@]:${size}}")`,
        `operands=(${kinds.join(' ')})`,
        ...(last?.repeats ? [`repeats=${kindWord(last)}`] : []),
        ...(last?.kind === 'switch' ? [`choices=$'${switchWords.join('\\n')}'`] : []),
        `offered='${optionsOf(command).map(optionWord).join(' ')}'`,
    ];
    return `        '${name}${size === 1 ? " '*" : "'"}) ${parts.join(' ')} ;;`;
}

function kindWord({kind}: Operand): string {
    if (kind === 'argument') return "''";
    return kind === 'switch' ? 'fixed' : kind;
}

function groupCases(group: string): readonly string[] {
    const verbs = lines(verbsOf(group));
    return [
        `        '${group} '*) words=("\${words[@]:1}") operands=(fixed) choices=${verbs} offered='--help' ;;`,
        `        'help ${group}') words=("\${words[@]:2}") operands=(fixed) choices=${verbs} ;;`,
    ];
}

function optionWord({name, value}: Option): string {
    return value && !value.fallback ? `--${name}=` : `--${name}`;
}

function lines(choices: readonly Choice[]): string {
    return `$'${choices.map(([word]) => word).join('\\n')}'`;
}
