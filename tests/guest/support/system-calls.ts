// SPDX-License-Identifier: GPL-2.0-or-later

/** A system call that did something to a file, as strace -f -y writes it. */
export interface SystemCall {
    readonly name: string;
    /** The file: of a rename, under its old name. */
    readonly path: string;
    /** New name of a rename, else empty. */
    readonly target: string;
}

/** The calls that succeeded, in the order in which they returned. */
export function callsOf(trace: string): readonly SystemCall[] {
    const unfinished = new Map<string, string>();
    return trace.split('\n').flatMap(line => {
        const [, pid = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
        const start = /^(.*) <unfinished \.\.\.>$/.exec(text)?.[1];
        if (start !== undefined) {
            unfinished.set(pid, start);
            return [];
        }
        const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
        const call = rest === undefined ? text : `${unfinished.get(pid) ?? ''}${rest}`;
        const [, name = '', args = ''] = /^(\w+)\((.*)\) += \d+$/.exec(call) ?? [];
        return name === '' ? [] : [describeCall(name, args)];
    });
}

function describeCall(name: string, args: string): SystemCall {
    const quoted = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text);
    if (name.startsWith('symlink')) return {name, path: quoted[1] ?? '', target: ''};
    if (name.startsWith('rename')) return {name, path: quoted[0] ?? '', target: quoted[1] ?? ''};
    if (name.startsWith('unlink')) return {name, path: quoted[0] ?? '', target: ''};
    return {name, path: /^\d+<([^>]*)>/.exec(args)?.[1] ?? '', target: ''};
}
