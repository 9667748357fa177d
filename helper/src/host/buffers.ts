// SPDX-License-Identifier: GPL-2.0-or-later
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';

/** Bytes of used buffers that may lie around. */
const MAX_GARBAGE = 8 * 1024 ** 2;

type Collect = (options: {readonly type: 'minor'}) => void;

let collector: Collect | undefined;

/**
 * Counts buffers that go by. V8 sees to their memory only once some 64 MiB of it lie around, which
 * is most of what this service needs at its peak; freeing it earlier takes about a millisecond.
 */
export function bufferCounter(): (bytes: number) => void {
    let garbage = 0;
    return bytes => {
        garbage += bytes;
        if (garbage < MAX_GARBAGE) return;
        garbage = 0;
        collector ??= findCollector();
        collector({type: 'minor'});
    };
}

/** A new context takes as long as a small download, most of which need none. */
function findCollector(): Collect {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as Collect;
}
