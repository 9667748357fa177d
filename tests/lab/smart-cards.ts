// SPDX-License-Identifier: GPL-2.0-or-later
// Debian's pcscd with a reader that a program puts a card into, and programs that ask for cards.

import {mkdir, readdir, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {execa} from 'execa';

import {cached} from './cache.ts';
import {MIRROR} from './trees.ts';

/** In the guest: for containers, the programs; and a library whose protocol pcscd of trixie refuses. */
export const CARD_PROGRAMS = '/opt/card-programs';
export const OLD_LIBRARY = '/opt/card-library';

const programs = ['libpcsclite1', 'pcsc-tools', 'opensc', 'opensc-pkcs11', 'libeac3'];
/** With what it needs, and a container does not have anyway. */
const daemon = ['pcscd', 'libccid', 'libusb-1.0-0', 'libpolkit-gobject-1-0', 'libudev1'];

const packages: readonly (readonly [suite: string, names: readonly string[], target: string])[] = [
    ['trixie', ['pcscd', 'vsmartcard-vpcd', ...programs], '/'],
    ['trixie', [...programs, ...daemon], CARD_PROGRAMS],
    ['bookworm', ['libpcsclite1'], OLD_LIBRARY],
];

/** Where the virtual reader waits for its card. */
const READER_PORT = 0x8c7b;

/** A card that has the name of a key, and says 9000 to what it is asked. */
const card = `const atr = Buffer.from('3bfd1300008131fe158073c021c057597562694b657940', 'hex');
let received = Buffer.alloc(0);
const socket = require('net').connect(${READER_PORT}, '127.0.0.1', () => console.log('inserted'));
const say = bytes => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    socket.write(Buffer.concat([length, bytes]));
};
socket.on('data', bytes => {
    received = Buffer.concat([received, bytes]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const message = received.subarray(2, 2 + received.readUInt16BE(0));
        received = received.subarray(2 + message.length);
        // Power and reset are not answered; 4 asks what it is.
        if (message.length === 1 && message[0] === 4) say(atr);
        else if (message.length > 1) say(Buffer.from('9000', 'hex'));
    }
});
`;

export const CARD = '/run-lab/card.cjs';

/** To be laid over a guest's tree. */
export function smartCardLayer(): Promise<string> {
    return cached('smart-cards', {packages, card}, async directory => {
        for (const [suite, names, target] of packages)
            await unpack(suite, names, join(directory, target));
        const wants = join(directory, 'etc/systemd/system/sockets.target.wants');
        await mkdir(wants, {recursive: true});
        await symlink('/usr/lib/systemd/system/pcscd.socket', join(wants, 'pcscd.socket'));
        await mkdir(join(directory, 'run-lab'));
        await writeFile(join(directory, CARD), card);
    });
}

/** What packages have, without what they need. */
async function unpack(suite: string, names: readonly string[], target: string): Promise<void> {
    const work = `${target}.apt`;
    const options = {
        'Dir::State': join(work, 'state'),
        'Dir::State::status': '/dev/null',
        'Dir::Cache': join(work, 'cache'),
        'Dir::Etc': join(work, 'etc'),
        'APT::Sandbox::User': 'root',
        'Acquire::Retries': '3',
    };
    const apt = [...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
    for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc', 'files'])
        await mkdir(join(work, name), {recursive: true});
    await mkdir(target, {recursive: true});
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    await writeFile(
        join(work, 'etc/sources.list'),
        `deb [signed-by=${keyring}] ${MIRROR} ${suite} main\n`,
    );
    await execa('apt-get', [...apt, '--quiet', 'update'], {all: true});
    await execa('apt-get', [...apt, '--quiet', 'download', ...names], {
        cwd: join(work, 'files'),
        all: true,
    });
    for (const file of await readdir(join(work, 'files')))
        await execa('dpkg-deb', ['--extract', join(work, 'files', file), target]);
    await execa('rm', ['-rf', work]);
}
