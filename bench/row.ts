// SPDX-License-Identifier: GPL-2.0-or-later

/** One line of the result. */
export interface Row {
    readonly name: string;
    readonly unit: 's' | 'ms' | 'MiB' | 'count';
    readonly ours: number;
    /** The least that it could take, measured in the same run; null: there is no such thing. */
    readonly floor: number | null;
    /** What others take for the same, by their name. */
    readonly peers: Readonly<Record<string, number>>;
    /** In words. */
    readonly goal: string;
    readonly holds: boolean;
}

/** A row whose goal is a multiple of the floor, and to be faster than the peers. */
export function comparedToFloor(
    row: Pick<Row, 'name' | 'unit' | 'ours'> & {readonly floor: number} & Partial<Row>,
    factor: number,
): Row {
    const {ours, floor, peers = {}} = row;
    const faster = Object.keys(peers).map(name => ` and faster than ${name}`);
    return {
        ...row,
        peers,
        goal: `at most ${factor} times the floor${faster.join('')}`,
        holds: ours <= factor * floor && Object.values(peers).every(peer => ours < peer),
    };
}

/** A row whose goal is a number. */
export function comparedToLimit(
    row: Pick<Row, 'name' | 'unit' | 'ours'> & Partial<Row>,
    limit: number,
): Row {
    const {floor = null, peers = {}, ours, unit} = row;
    return {...row, floor, peers, goal: `at most ${limit} ${unit}`, holds: ours <= limit};
}

/** For people: a table with what each took as a ratio to ours. */
export function tableOf(rows: readonly Row[]): string {
    const cells = rows.map(({name, unit, ours, floor, peers, goal, holds}) => [
        holds ? 'holds' : 'DOES NOT HOLD',
        name,
        amount(ours, unit),
        floor === null ? '-' : `${amount(floor, unit)} (ours ${ratio(ours, floor)})`,
        Object.entries(peers)
            .map(([peer, value]) => `${peer} ${amount(value, unit)} (ours ${ratio(ours, value)})`)
            .join(', ') || '-',
        goal,
    ]);
    const table = [['', 'BENCHMARK', 'OURS', 'FLOOR', 'PEERS', 'GOAL'], ...cells];
    const widths = (table[0] ?? []).map((_, column) =>
        Math.max(...table.map(line => line[column]?.length ?? 0)),
    );
    return table
        .map(line => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
        .map(line => `${line.trimEnd()}\n`)
        .join('');
}

function amount(value: number, unit: Row['unit']): string {
    const digits = unit === 's' ? 3 : unit === 'count' ? 0 : 1;
    return `${value.toFixed(digits)}${unit === 'count' ? '' : ` ${unit}`}`;
}

function ratio(ours: number, other: number): string {
    return other === 0 ? amount(ours, 'count') : `${(ours / other).toFixed(2)}x`;
}
