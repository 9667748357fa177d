// SPDX-License-Identifier: GPL-2.0-or-later
// What goes wrong on a real system, and that nothing is left of it: every case fails with one line,
// its stable code and exit status, leaves the system as it was, and the next try works.
import {execFile} from 'node:child_process';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {exitCodes} from '../../helper/src/cli/exit-codes.ts';
import type {ErrorCode} from '../../helper/src/host/error.ts';
import {makeCertificate} from '../lab/certificate.ts';
import {definitionFiles} from '../lab/definitions.ts';
import type {Fault} from '../lab/faults.ts';
import {serveInGuest} from '../lab/guest-repository.ts';
import {makeImage} from '../lab/images.ts';
import {componentDirectory} from '../lab/publication.ts';
import {makeKey} from '../lab/signing.ts';
import {REPOSITORY, SnowGuest, imageName} from './support/snow-guest.ts';
import {until} from './support/waiting.ts';

const run = promisify(execFile);
const IMAGES = '/var/lib/extensions.d';

const image = `/ext/figlet/${imageName('figlet', '1.0')}.zst`;
const plainImage = `/ext/figlet/${imageName('figlet', '1.0')}`;
const manifest = '/ext/figlet/SHA256SUMS';

let snow: SnowGuest;

const components = ['figlet', 'jq', 'podman'].map(name => ({name}));

beforeAll(async () => {
    snow = await bootWithJq();
});
afterAll(() => snow?.[Symbol.asyncDispose]());

/** One extension is on already, and must not suffer. */
async function bootWithJq() {
    const booted = await SnowGuest.boot('desktop', {components});
    await booted.offer('jq', ['1.7']);
    await booted.offer('podman', ['5.4.0']);
    await booted.offer('figlet', ['1.0']);
    await booted.ok('features enable jq');
    return booted;
}

/** Something that goes wrong, in its own words where the case is one of a kind. */
interface Failure {
    readonly title: string;
    readonly prepare: () => Promise<unknown>;
    readonly repair?: () => Promise<unknown>;
    readonly code: ErrorCode;
    readonly message: RegExp;
    readonly line?: string;
}

/** Fails as it should, leaves all as it was, and works once the cause is gone. */
async function expectFailure(on: SnowGuest, failure: Failure) {
    const {code, message, prepare, repair, line = 'features enable figlet'} = failure;
    await prepare();
    const before = await on.snapshot();
    try {
        const {exitCode, stdout, stderr} = await on.snowctl(`${line} --json`);
        const {error} = JSON.parse(stdout) as {error: {code: string; message: string}};
        expect(error).toMatchObject({code, message: expect.stringMatching(message) as string});
        expect(exitCode).toBe(exitCodes[code].status);
        expect(stderr).toBe(`snowctl: ${error.message}\n`);
        expect(error.message).toMatch(/^[^\n]{10,300}$/);
        expect(await on.snapshot()).toBe(before);
        expect(await leftProcesses(on)).toBe('');
    } finally {
        await repair?.();
        await on.repository.clearFaults();
        await on.offer('figlet', ['1.0']);
    }
    await expectNextTryToWork(on);
}

async function expectNextTryToWork(on: SnowGuest) {
    await on.ok('features enable figlet');
    expect(await on.guest.check(['figlet-figlet', 'snow'])).toContain('_');
    expect(await on.merged()).toEqual(['figlet', 'jq']);
    await on.ok('features disable figlet');
    expect(await on.snowctl('doctor')).toMatchObject({stdout: 'No problem was found.\n'});
}

/** What an operation starts, and none may survive it. */
async function leftProcesses(on: SnowGuest) {
    const {stdout} = await on.guest.run(['pgrep', '-lx', 'zstd|xz|gzip|gpgv|flock|systemd-run']);
    return stdout;
}

const serverFault = (path: string, fault: Fault) => async () => {
    await snow.repository.setFault(path, fault);
};

/** A manifest with one line more, signed by the right key. */
const withLine = (line: string) => () => snow.publish('figlet', {extraLines: [line]});

const sum = '0123456789abcdef'.repeat(4);

function describeFailures(title: string, failures: readonly Failure[]) {
    describe(title, () => {
        test.each(failures.map(failure => [failure.title, failure] as const))(
            '%s',
            async (_title, failure) => expectFailure(snow, failure),
        );
    });
}

describeFailures('a server that', [
    {
        title: 'answers 500 for the list',
        prepare: serverFault(manifest, {kind: 'status', status: 500}),
        code: 'Network',
        message: /SHA256SUMS answers with HTTP status 500/,
    },
    {
        title: 'answers 500 for the image',
        prepare: serverFault(image, {kind: 'status', status: 500}),
        code: 'Network',
        message: /raw\.zst answers with HTTP status 500/,
    },
    {
        title: 'does not have the image',
        prepare: serverFault(image, {kind: 'status', status: 404}),
        code: 'NotFound',
        message: /is not there \(HTTP status 404\)/,
    },
    {
        title: 'resets the connection in the middle of the image',
        prepare: serverFault(image, {kind: 'reset', afterBytes: 60_000}),
        code: 'Network',
        message: /reset|closed early/,
    },
    {
        title: 'resets the connection at once',
        prepare: serverFault('*', {kind: 'reset', afterBytes: 0}),
        code: 'Network',
        message: /reset|closed early/,
    },
    {
        title: 'is not there',
        prepare: () => snow.repository.close(),
        repair: () => snow.serve(),
        code: 'Network',
        message: /refuses the connection/,
    },
    {
        title: 'redirects for ever',
        prepare: serverFault(image, {kind: 'redirect', to: image}),
        code: 'Network',
        message: /redirects too often/,
    },
    {
        title: 'redirects to a file of the machine',
        prepare: serverFault(image, {kind: 'redirect', to: 'file:///etc/passwd'}),
        code: 'Network',
        message: /redirects to an insecure address/,
    },
    {
        title: 'sends a page of HTML instead of the list',
        prepare: serverFault(manifest, {kind: 'html'}),
        code: 'VerificationFailed',
        message: /the signature does not match/,
    },
    {
        title: 'sends a page of HTML instead of everything',
        prepare: serverFault('*', {kind: 'html'}),
        code: 'VerificationFailed',
        message: /is not trusted/,
    },
    {
        title: 'sends a page of HTML instead of the image',
        prepare: serverFault(image, {kind: 'html'}),
        code: 'VerificationFailed',
        message: /cannot be unpacked|does not have the hash/,
    },
    {
        title: 'sends less of the image than it announced',
        prepare: serverFault(image, {kind: 'shorter', bytes: 1000}),
        code: 'Network',
        message: /ended after|closed early|length/,
    },
    {
        title: 'sends more than the image',
        prepare: serverFault(image, {kind: 'longer', bytes: 300_000}),
        code: 'VerificationFailed',
        message: /cannot be unpacked|does not have the hash/,
    },
    {
        title: 'sends without end instead of the image',
        prepare: serverFault(image, {kind: 'endless', bytes: 5e9}),
        code: 'VerificationFailed',
        message: /cannot be unpacked|does not have the hash/,
    },
    {
        title: 'sends without end instead of the list',
        prepare: serverFault(manifest, {kind: 'endless', bytes: 5e9}),
        code: 'Network',
        message: /is larger than 4194304 bytes/,
    },
    {
        title: 'sends one wrong bit in a compressed image',
        prepare: serverFault(image, {kind: 'flip', at: 100_000}),
        code: 'VerificationFailed',
        message: /cannot be unpacked|does not have the hash/,
    },
    {
        title: 'sends one wrong bit in an image that is not compressed',
        prepare: async () => {
            await snow.offer('figlet', ['1.0'], {endings: ['']});
            await snow.repository.setFault(plainImage, {kind: 'flip', at: 1_000_000});
        },
        code: 'VerificationFailed',
        message: /does not have the hash of its manifest/,
    },
]);

/** Each takes as long as Snow Control waits, and so has a guest of its own: they wait together. */
describe.concurrent('a connection over which nothing comes', () => {
    test('any more, because the server never answers', async () => {
        await using other = await bootWithJq();
        await expectFailure(other, {
            title: '',
            prepare: () => other.repository.setFault(manifest, {kind: 'hang'}),
            code: 'Network',
            message: /SHA256SUMS: the server does not answer/,
        });
    });

    test('any more, because the server stopped in the middle of the image', async () => {
        await using other = await bootWithJq();
        await expectFailure(other, {
            title: '',
            prepare: () => other.repository.setFault(image, {kind: 'stall', afterBytes: 60_000}),
            code: 'Network',
            message: /raw\.zst: the server stopped sending/,
        });
    });

    test('any more, because the network is gone in the middle of the image', async () => {
        await using other = await bootWithJq();
        const setNetwork = (state: 'up' | 'down') => {
            const {leader} = other.guest;
            const command = ['ip', 'link', 'set', 'lo', state];
            return run('nsenter', [`--target=${leader}`, '--net', ...command]);
        };
        let gone: Promise<unknown> = Promise.resolve();
        await expectFailure(other, {
            title: '',
            prepare: async () => {
                await other.repository.setFault(image, {kind: 'throttle', bytesPerSecond: 30_000});
                gone = until('the image is fetched', async () =>
                    (await other.jobs()).some(
                        ({state, bytesDone}) => state === 'running' && bytesDone > 0,
                    ),
                ).then(() => setNetwork('down'));
            },
            repair: async () => {
                await gone;
                await setNetwork('up');
            },
            code: 'Network',
            message: /the server stopped sending|unreachable|reset/,
        });
    });
});

describeFailures('a list of files', [
    {
        title: 'cut short on the way',
        prepare: serverFault(manifest, {kind: 'shorter', bytes: 20}),
        code: 'Network',
        message: /ended after|closed early|length/,
    },
    {
        title: 'cut short before it was signed',
        prepare: () => snow.publish('figlet', {manifest: sum.slice(0, 40)}),
        code: 'VerificationFailed',
        message: /SHA256SUMS:1: This line is no hash and file name/,
    },
    {
        title: 'of 5 MiB',
        prepare: () => snow.publish('figlet', {manifest: `# ${'x'.repeat(98)}\n`.repeat(52_000)}),
        code: 'Network',
        message: /is larger than 4194304 bytes/,
    },
    {
        title: 'that is out of date',
        prepare: withLine(`${sum}  BEST-BEFORE-2020-02-29`),
        code: 'VerificationFailed',
        message: /out of date: it was to be used before 2020-02-29/,
    },
    {
        title: 'with two hashes of one file',
        prepare: withLine(`${sum}  ${imageName('figlet', '1.0')}.zst`),
        code: 'VerificationFailed',
        message: /is listed with two hashes/,
    },
    {
        title: 'with another hash than the image has',
        prepare: () =>
            snow.publish('figlet', {manifest: `${sum}  ${imageName('figlet', '1.0')}.zst\n`}),
        code: 'VerificationFailed',
        message: /does not have the hash of its manifest/,
    },
    {
        title: 'without a file for this system',
        prepare: () => snow.publish('figlet', {manifest: `${sum}  figlet_1.0_13_arm64.raw.zst\n`}),
        code: 'NotFound',
        message: /No version of figlet is offered for this system/,
    },
    {
        title: 'of an image that is not there',
        prepare: withLine(`${sum}  ${imageName('figlet', '9')}.zst`),
        code: 'NotFound',
        message: /figlet_9_13.* is not there/,
    },
    ...[
        '../figlet_9_13_x86-64.raw.zst',
        '/etc/figlet_9_13_x86-64.raw.zst',
        'a/../figlet_9_13_x86-64.raw.zst',
        '..',
        '%2e%2e%2ffiglet_9_13_x86-64.raw.zst',
        'figlet_%2e%2e_13_x86-64.raw.zst',
        'figlet_\u001b[31m9_13_x86-64.raw.zst',
        'figlet_9\u0000_13_x86-64.raw.zst',
        'figlet_9\t_13_x86-64.raw.zst',
    ].map(name => ({
        title: `with the name ${JSON.stringify(name)}`,
        prepare: withLine(`${sum}  ${name}`),
        code: 'VerificationFailed' as const,
        message: /SHA256SUMS:2: This name is not allowed/,
    })),
]);

describeFailures('a signature', [
    {
        title: 'that is missing',
        prepare: () => snow.publish('figlet', {signatures: {}}),
        code: 'VerificationFailed',
        message: /is not signed: there is neither SHA256SUMS\.gpg nor SHA256SUMS\.asc/,
    },
    {
        title: 'of something else',
        prepare: () => sign(async () => snow.key.sign('something else', 'binary')),
        code: 'VerificationFailed',
        message: /the signature does not match/,
    },
    {
        title: 'that is none',
        prepare: () => sign(async () => Buffer.from('-----BEGIN NOTHING-----\n')),
        code: 'VerificationFailed',
        message: /is not trusted/,
    },
    {
        title: 'by a key that nobody trusts',
        prepare: () =>
            sign(async text => {
                await using key = await makeKey();
                return await key.sign(text, 'binary');
            }),
        code: 'VerificationFailed',
        message: /it is signed by the unknown key [0-9A-F]{16}/,
    },
    {
        title: 'by a key that has expired',
        prepare: () => signByTrusted({expired: true}),
        repair: () => snow.guest.check(['rm', '/etc/systemd/import-pubring.gpg']),
        code: 'VerificationFailed',
        message: /the key [0-9A-F]{16} has expired/,
    },
    {
        title: 'with SHA-1',
        prepare: () => signByTrusted({sha1: true}),
        repair: () => snow.guest.check(['rm', '/etc/systemd/import-pubring.gpg']),
        code: 'VerificationFailed',
        message: /digest that can be forged|no good signature|does not match/,
    },
    {
        title: 'whose key was taken away',
        prepare: () => snow.guest.check('mv /etc/systemd/import-pubring.pgp /etc/systemd/aside'),
        repair: () => snow.guest.check('mv /etc/systemd/aside /etc/systemd/import-pubring.pgp'),
        code: 'VerificationFailed',
        message: /it is signed by the unknown key [0-9A-F]{16}/,
    },
]);

/** Replaces the signature of figlet's list. */
async function sign(make: (text: string) => Promise<Buffer>) {
    const text = await snow.publish('figlet');
    const path = join(componentDirectory(snow.directory, 'figlet'), 'SHA256SUMS.gpg');
    await writeFile(path, await make(text));
}

/** Signs with a second key, which is in the second keyring. */
async function signByTrusted(options: Parameters<typeof makeKey>[0]) {
    await using key = await makeKey(options);
    await snow.guest.putFile('/etc/systemd/import-pubring.gpg', await key.exportKeyring('binary'));
    await sign(text => key.sign(text, 'binary'));
}

describe('what is signed well is taken', () => {
    test('from a key in the second keyring, and from one of two signatures', async () => {
        await signByTrusted({});
        await snow.ok('features enable figlet');
        await snow.ok('features disable figlet');
        await snow.guest.check(['rm', '/etc/systemd/import-pubring.gpg']);
        await using other = await makeKey();
        await sign(async text =>
            Buffer.concat([await other.sign(text, 'binary'), await snow.key.sign(text, 'binary')]),
        );
        await snow.ok('features enable figlet');
        await snow.ok('features disable figlet');
    });

    test('armoured, from SHA256SUMS.asc alone, with comments and DOS line ends', async () => {
        const text = await snow.publish('figlet');
        await snow.publish('figlet', {
            manifest: `# of today\r\n${text.trimEnd()}\r\n${sum} *BEST-BEFORE-2999-12-31`,
            signatures: {asc: 'armoured'},
        });
        await snow.ok('features enable figlet');
        await snow.ok('features disable figlet');
        await snow.offer('figlet', ['1.0']);
    });
});

describeFailures('an image', [
    {
        title: 'that unpacks to far more than it is (a bomb)',
        prepare: async () => {
            const file = join(
                componentDirectory(snow.directory, 'figlet'),
                `${imageName('figlet', '9')}.zst`,
            );
            await run('sh', ['-c', 'head -c 1500M /dev/zero | zstd -q -o "$0"', file]);
            await snow.publish('figlet');
        },
        code: 'VerificationFailed',
        message: /The image is larger than \d+ bytes/,
    },
    {
        title: 'that is no extension',
        prepare: () => offerImage({release: null}),
        code: 'VerificationFailed',
        message: /is no extension of the name figlet/,
    },
    {
        title: 'that is no image',
        prepare: async () => {
            const directory = componentDirectory(snow.directory, 'figlet');
            await writeFile(join(directory, imageName('figlet', '9')), 'x'.repeat(100_000));
            await snow.publish('figlet');
        },
        code: 'VerificationFailed',
        message: /no extension of the name figlet/,
    },
    {
        title: 'for another architecture',
        prepare: () =>
            offerImage({release: {ID: 'debian', VERSION_ID: '13', ARCHITECTURE: 'arm64'}}),
        code: 'WrongState',
        message: /figlet 9 is for the architecture arm64, and this machine is x86-64/,
    },
]);

async function offerImage(options: {release: Readonly<Record<string, string>> | null}) {
    const directory = componentDirectory(snow.directory, 'figlet');
    await makeImage(directory, {name: 'figlet', version: '9', ...options});
    await snow.publish('figlet');
}

describeFailures('a disk that is full', [
    {
        title: 'before the download',
        prepare: () => mountFull(IMAGES, 'size=1M'),
        repair: () => snow.guest.check(['umount', IMAGES]),
        code: 'NoSpace',
        message: /not enough space on the disk/,
    },
    {
        title: 'while the image is unpacked',
        prepare: () => mountFull(IMAGES, 'size=33M'),
        repair: () => snow.guest.check(['umount', IMAGES]),
        code: 'NoSpace',
        message: /not enough space on the disk/,
    },
    {
        title: 'where its journal would be',
        prepare: () => mountFull('/var/lib/snow-control', 'nr_inodes=1'),
        repair: () => snow.guest.check(['umount', '/var/lib/snow-control']),
        code: 'NoSpace',
        message: /No space left/i,
    },
    {
        title: 'where the link would be',
        prepare: () => mountFull('/var/lib/extensions', 'nr_inodes=1'),
        repair: () => snow.guest.check(['umount', '/var/lib/extensions']),
        code: 'NoSpace',
        message: /No space left/i,
    },
    {
        title: 'where the switch would be, when all is merged already',
        prepare: () => mountFull('/etc/sysupdate.figlet.d', 'nr_inodes=1'),
        repair: () => snow.guest.check('umount /etc/sysupdate.figlet.d'),
        code: 'NoSpace',
        message: /No space left/i,
    },
]);

function mountFull(path: string, options: string) {
    return snow.guest.check(
        `mkdir -p ${path} && mount -t tmpfs -o ${options},mode=755 full ${path}`,
    );
}

describeFailures('systemd-sysext', [
    {
        title: 'that fails because of a broken image of somebody else',
        prepare: () =>
            snow.guest.check(
                'mkdir -p /run/extensions && head -c 100000 /dev/urandom > /run/extensions/broken.raw',
            ),
        repair: () => snow.guest.check(['rm', '/run/extensions/broken.raw']),
        code: 'Failed',
        message: /systemd-sysext refresh failed/,
    },
    {
        title: 'that merges another image of the same name',
        prepare: () =>
            snow.guest.check(`mkdir -p /etc/extensions/figlet/usr/lib/extension-release.d
                echo ID=_any > /etc/extensions/figlet/usr/lib/extension-release.d/extension-release.figlet
                systemd-sysext refresh`),
        repair: () => snow.guest.check('rm -r /etc/extensions; systemd-sysext refresh'),
        code: 'Failed',
        message: /\/etc\/extensions\/figlet is merged instead of figlet 1\.0/,
    },
]);

const ETC = '/etc/sysupdate.figlet.d';

describeFailures('a definition', [
    {
        title: 'of a feature that is masked',
        prepare: () => snow.guest.check(`mkdir -p ${ETC}; ln -s /dev/null ${ETC}/figlet.feature`),
        repair: () => snow.guest.check(['rm', `${ETC}/figlet.feature`]),
        code: 'WrongState',
        message: /figlet is masked by \/etc\/sysupdate\.figlet\.d\/figlet\.feature/,
    },
    {
        title: 'in a component that is turned off',
        prepare: () =>
            snow.guest.putFile('/etc/sysupdate.figlet.component', '[Component]\nEnabled=no\n'),
        repair: () => snow.guest.check(['rm', '/etc/sysupdate.figlet.component']),
        code: 'WrongState',
        message: /The component figlet is turned off by \/etc\/sysupdate\.figlet\.component/,
    },
    {
        title: 'with a transfer that is malformed',
        prepare: () =>
            snow.guest.putFile(
                `${ETC}/figlet.transfer`,
                '[Transfer]\nFeatures=figlet\nVerify=perhaps\n[Source]\nType=url-file\n',
            ),
        repair: () => snow.guest.check(['rm', `${ETC}/figlet.transfer`]),
        code: 'WrongState',
        message: /\/etc\/sysupdate\.figlet\.d\/figlet\.transfer:3: Verify="?perhaps"? is neither/,
    },
    {
        title: 'with a path that leaves its place',
        prepare: () =>
            snow.guest.putFile(
                `${ETC}/figlet.transfer.d/x.conf`,
                '[Target]\nPath=/var/lib/../../etc\n',
            ),
        repair: () => snow.guest.check(['rm', '-r', `${ETC}/figlet.transfer.d`]),
        code: 'WrongState',
        message: /figlet\.transfer\.d\/x\.conf:2: Path=/,
    },
    {
        title: 'whose switch somebody has overridden by hand',
        prepare: () =>
            snow.guest.putFile(`${ETC}/figlet.feature.d/99-mine.conf`, '[Feature]\nEnabled=no\n'),
        repair: () => snow.guest.check(['rm', `${ETC}/figlet.feature.d/99-mine.conf`]),
        code: 'WrongState',
        message: /cannot be turned on: .*99-mine\.conf says otherwise/,
    },
    {
        title: 'whose link is a file of somebody else',
        prepare: () => snow.guest.putFile('/var/lib/extensions/figlet.raw', 'mine'),
        repair: () => snow.guest.check(['rm', '/var/lib/extensions/figlet.raw']),
        code: 'WrongState',
        message: /\/var\/lib\/extensions\/figlet\.raw is not a symbolic link/,
    },
]);

describe('hostile names', () => {
    test('of features that are asked for are refused in one line', async () => {
        const before = await snow.snapshot();
        for (const name of [
            '../../etc/passwd',
            '/etc/passwd',
            '..',
            'figlet/../../x',
            'figlet\n',
            '\u001b[31mfiglet',
            '%2e%2e%2fx',
            'figlet;reboot',
            'x'.repeat(5000),
        ]) {
            const words = ['snowctl', 'features', 'enable', name];
            const {exitCode, stdout, stderr} = await snow.guest.run(words);
            const {NotFound, InvalidArgs} = exitCodes;
            // eslint-disable-next-line no-control-regex
            const code = /[\x00-\x1f]/.test(name) ? InvalidArgs : NotFound;
            expect({name, exitCode, stdout}).toEqual({name, exitCode: code.status, stdout: ''});
            expect(stderr).toMatch(/^snowctl: [^\p{Cc}]{1,300}\n$/u);
        }
        expect(await snow.snapshot()).toBe(before);
    });

    test('of definitions keep none of the others from working', async () => {
        await snow.guest
            .check(`mkdir -p '/etc/sysupdate.a b.d' '/etc/sysupdate...d' /etc/sysupdate.x.d
            printf '[Feature]\\nEnabled=no\\n' > "$(printf '/etc/sysupdate.x.d/a\\033[31m\\nb.feature')"
            printf '[Feature]\\nDescription=\\033[31mred\\nEnabled=no\\n' > /etc/sysupdate.x.d/red.feature
            cp /etc/sysupdate.x.d/red.feature '/etc/sysupdate.a b.d/x.feature'`);
        try {
            const list = await snow.ok('features list');
            // eslint-disable-next-line no-control-regex
            expect(list).not.toMatch(/\u001b/);
            expect(list).toMatch(/^jq +enabled, merged/m);
            const {stdout, exitCode} = await snow.snowctl('doctor');
            expect(exitCode).toBe(1);
            expect(stdout).toContain(
                'sysupdate.a b.d: The name of this component is not supported',
            );
            expect(stdout).toContain('This name is not supported');
            // eslint-disable-next-line no-control-regex
            expect(stdout).not.toMatch(/\u001b/);
        } finally {
            await snow.guest.check(
                `rm -r '/etc/sysupdate.a b.d' '/etc/sysupdate...d' /etc/sysupdate.x.d`,
            );
        }
        await expectNextTryToWork(snow);
    });
});

describe('two writers at once', () => {
    test('one works, the other is told of the job that is running', async () => {
        await snow.repository.setFault('*', {kind: 'latency', ms: 1500});
        const results = await Promise.all(
            ['figlet', 'podman'].map(name => snow.snowctl(`features enable ${name} --json`)),
        );
        await snow.repository.clearFaults();
        const [winner, loser] = results.sort((a, b) => a.exitCode - b.exitCode);
        expect([winner?.exitCode, loser?.exitCode]).toEqual([0, exitCodes.Busy.status]);
        expect(loser?.stderr).toMatch(
            /^snowctl: Another operation is running: job \d+; see "snowctl jobs"\n$/,
        );
        await snow.ok('features enable figlet podman');
        expect(await snow.merged()).toEqual(['figlet', 'jq', 'podman']);
        await snow.ok('features disable figlet podman');
    });

    test('another program that holds the lock is not disturbed', async () => {
        const lock = '/run/snow-control/features.lock';
        const holder = snow.guest.run(['flock', '--no-fork', lock, 'sleep', '1000']);
        await until('the lock is held', async () => {
            const {exitCode} = await snow.guest.run(['flock', '--nonblock', lock, 'true']);
            return exitCode === 1;
        });
        const before = await snow.snapshot();
        const {exitCode, stderr} = await snow.snowctl('features enable figlet -q');
        expect(exitCode).toBe(exitCodes.Busy.status);
        expect(stderr).toMatch(/Another program is changing the extensions/);
        expect(await snow.snapshot()).toBe(before);
        await snow.guest.check(['pkill', '-f', '^sleep 1000$']);
        await holder;
        await expectNextTryToWork(snow);
    });
});

describe('over https', () => {
    test('no redirect leads to http, and no certificate is taken that nobody vouches for', async () => {
        const tls = await makeCertificate();
        await using secure = await serveInGuest(snow.guest, {
            directory: snow.directory,
            port: 8443,
            tls,
        });
        const definitions = definitionFiles({name: 'figlet', url: secure.url, below: '/etc'});
        const transfer = `${ETC}/figlet.transfer`;
        await snow.guest.putFile(transfer, definitions[transfer] ?? '');
        try {
            await expectFailure(snow, {
                title: '',
                prepare: async () => undefined,
                repair: async () => {
                    await snow.guest.putFile('/etc/lab.pem', tls.cert);
                    await snow.guest.putFile(
                        '/run/systemd/system/snowd.service.d/lab.conf',
                        '[Service]\nEnvironment=NODE_EXTRA_CA_CERTS=/etc/lab.pem\n',
                    );
                    await snow.guest.check('systemctl daemon-reload; systemctl stop snowd');
                },
                code: 'Network',
                message: /certificate/,
            });
            await secure.setFault(image, {kind: 'redirect', to: `${REPOSITORY}${image}`});
            await expectFailure(snow, {
                title: '',
                prepare: async () => undefined,
                repair: () => secure.clearFaults(),
                code: 'Network',
                message: /redirects to an insecure address/,
            });
        } finally {
            await snow.guest.check(`rm -rf ${ETC} /run/systemd/system/snowd.service.d /etc/lab.pem
                systemctl daemon-reload; systemctl stop snowd`);
        }
    });
});
