// SPDX-License-Identifier: GPL-2.0-or-later
import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import {readHistory} from '../../../helper/src/image/history.ts';
import {readJobState} from '../../../helper/src/image/job-state.ts';
import {readLastCheck} from '../../../helper/src/image/last-check.ts';
import {followStaged} from '../../../helper/src/image/next-extensions.ts';
import {
    type ImageMachine,
    SNOWFIELD,
    deployment,
    digestOf,
    makeImageMachine,
    statusOf,
} from './image-machine.ts';

const STAGED = '/run/snosi/update-staged';
const CHECK = '/run/snosi/update-check';
const RELEASE = '/run/snow-control/next-system/os-release';

let machine: ImageMachine;

beforeEach(async () => {
    machine = await makeImageMachine();
});
afterEach(() => machine.dispose());

describe('an update', () => {
    it('stages what the source has, and tells everyone', async () => {
        machine.manners.newest = '2';
        machine.outlooks = [
            {feature: 'docker', state: 'ready', version: '3', text: ''},
            {feature: 'podman', state: 'missing', version: '', text: 'podman has none for 14'},
        ];
        const end = await machine.work('update');
        expect(end).toMatchObject({
            state: 'done',
            error: null,
            results: {
                outcome: 'staged',
                version: '2',
                digest: digestOf('2'),
                features: ['docker'],
                warnings: ['podman has none for 14'],
            },
        });
        expect(await readJobState(machine.host)).toEqual(end);
        expect(await machine.read(STAGED)).toMatch(
            new RegExp(
                `^image=ghcr.io/frostyard/snow:latest\\ndigest=${digestOf('2')}\\nstaged_at=\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\+00:00\\n$`,
            ),
        );
        expect(await machine.read(CHECK)).toMatch(
            /^outcome=staged\nchecked_at=.*\nimage=.*\nrunning_version=1\nremote_version=2\n$/,
        );
        expect(await machine.read(RELEASE)).toBe('ID="debian"\nVERSION_ID="14"\n');
        expect(await readHistory(machine.host)).toMatchObject([
            {
                operation: 'update',
                uid: 1000,
                outcome: 'done',
                error: '',
                from: {version: '1'},
                to: {version: '2', digest: digestOf('2')},
            },
        ]);
        expect(machine.journal.at(-1)).toMatch(/^image.update for uid 1000: done in /);
    });

    it('does nothing when there is nothing new, and says so', async () => {
        expect(await machine.work('update')).toMatchObject({
            state: 'done',
            results: {outcome: 'current', version: '1'},
        });
        expect(machine.calls).toEqual(['clean up', 'check']);
        expect(await machine.read(STAGED)).toBeNull();
        expect(await machine.read(CHECK)).toContain('outcome=current\n');
    });

    it('that ended well and staged nothing is a failure', async () => {
        Object.assign(machine.manners, {newest: '2', doesNothing: true});
        const end = await machine.work('update');
        expect(end).toMatchObject({state: 'failed', results: {}});
        expect(end.error).toEqual([
            'Failed',
            'The update ended without an error, and nothing is staged',
        ]);
        expect(await machine.read(CHECK)).toContain('outcome=failed\n');
        expect(await machine.read(STAGED)).toBeNull();
    });

    it('that leaves an older one staged is a failure', async () => {
        machine.status = statusOf({staged: deployment('1.5')});
        Object.assign(machine.manners, {newest: '2', doesNothing: true});
        const end = await machine.work('update');
        expect(end.error?.[1]).toContain('what is staged is not the new image');
        // That one is still what the next boot starts.
        expect(await machine.read(STAGED)).toContain(digestOf('1.5'));
    });

    it('never takes again what was rolled back from', async () => {
        machine.manners.newest = '0';
        const end = await machine.work('update');
        expect(end).toMatchObject({state: 'failed', error: ['WrongState', expect.anything()]});
        expect(end.error?.[1]).toContain('snowctl image rollback');
        expect(machine.calls).not.toContain('update');
        expect(await machine.read(CHECK)).toContain('outcome=held-rollback\n');
    });

    it('applies what was downloaded without asking the source', async () => {
        machine.status = statusOf({downloaded: deployment('2')});
        machine.manners.sourceFault = new SnowError('Network', 'No network');
        expect(await machine.work('update')).toMatchObject({
            state: 'done',
            results: {outcome: 'staged', version: '2'},
        });
        expect(machine.calls).not.toContain('check');
    });

    it('keeps the time at which it was staged when it is staged once more', async () => {
        machine.manners.newest = '2';
        await machine.work('update');
        const text = `image=ghcr.io/frostyard/snow:latest\ndigest=${digestOf('2')}\nstaged_at=2026-07-15T12:00:00+02:00\n`;
        await machine.write({[STAGED]: text});
        expect(await machine.work('update')).toMatchObject({results: {outcome: 'staged'}});
        expect(await machine.read(STAGED)).toBe(text);
        // The extensions may not have been to be had the first time.
        expect(machine.calls.filter(call => call === 'fetch extensions')).toHaveLength(2);
    });

    it('says what one that was killed had no time to say', async () => {
        machine.status = statusOf({staged: deployment('2')});
        machine.manners.sourceFault = new SnowError('Network', 'No network');
        await machine.work('check');
        expect(await machine.read(STAGED)).toContain(digestOf('2'));
        machine.status = statusOf();
        await machine.work('check');
        expect(await machine.read(STAGED)).toBeNull();
    });

    it('that cannot reach its source says why, and keeps what was found before', async () => {
        machine.manners.newest = '2';
        await machine.work('check');
        machine.manners.sourceFault = new SnowError('Network', 'ghcr.io does not answer');
        expect((await machine.work('update')).error).toEqual([
            'Network',
            'ghcr.io does not answer',
        ]);
        expect(await readLastCheck(machine.host)).toMatchObject({
            outcome: 'failed',
            offer: {version: '2'},
        });
    });

    it('is done although the extensions cannot follow', async () => {
        machine.manners.newest = '2';
        machine.extensions.fetch = () => Promise.reject(new SnowError('Busy', 'Somebody is at it'));
        expect(await machine.work('update')).toMatchObject({
            state: 'done',
            results: {
                warnings: ['Extensions for the new image were not fetched: Somebody is at it'],
            },
        });
    });

    it('waits for no other program, and says which one is at it', async () => {
        machine.units.set('bootc-update-stage.service', 'activating');
        const end = await machine.work('update');
        expect(end.error).toEqual([
            'Busy',
            'bootc-update-stage.service is changing the system; try again when it is done',
        ]);
        expect(machine.calls).toEqual([]);
        expect(await machine.read(CHECK)).toBeNull();
    });

    it('that crashes tells nobody its insides but the journal', async () => {
        Object.assign(machine.manners, {newest: '2', fault: new TypeError('undefined is no')});
        const end = await machine.work('update');
        expect(end.error).toEqual([
            'Failed',
            'image.update failed; the journal of snow-image-job says why',
        ]);
        expect(machine.journal.join('\n')).toContain('undefined is no');
        expect(machine.calls.at(-1)).toBe('clean up');
    });

    it('that failed after all was done failed', async () => {
        Object.assign(machine.manners, {
            newest: '2',
            fault: new SnowError('Failed', 'bootc ended with status 1'),
            faultIsLate: true,
        });
        expect(await machine.work('update')).toMatchObject({
            state: 'failed',
            error: ['Failed', 'bootc ended with status 1'],
        });
        // And yet the next boot starts it.
        expect(await machine.read(STAGED)).toContain(digestOf('2'));
    });
});

describe('a check', () => {
    it('finds a newer image, which snow’s own file has no word for', async () => {
        machine.manners.newest = '2';
        expect(await machine.work('check')).toMatchObject({
            state: 'done',
            results: {outcome: 'available', version: '2', digest: digestOf('2')},
        });
        expect(await machine.read(CHECK)).toBeNull();
        expect(await readLastCheck(machine.host)).toMatchObject({
            outcome: 'available',
            offer: {version: '2'},
        });
        expect(machine.calls).not.toContain('fetch extensions');
    });
});

describe('a download', () => {
    it('fetches, and leaves the next boot as it is', async () => {
        machine.manners.newest = '2';
        expect(await machine.work('download')).toMatchObject({
            state: 'done',
            results: {outcome: 'available', version: '2'},
        });
        expect(machine.status).toMatchObject({staged: null, downloaded: {version: '2'}});
        expect(await machine.read(STAGED)).toBeNull();
        // What is here is not fetched again.
        machine.calls.length = 0;
        expect(await machine.work('download')).toMatchObject({state: 'done'});
        expect(machine.calls).toEqual(['clean up', 'check']);
    });

    it('that is not there in the end failed', async () => {
        Object.assign(machine.manners, {newest: '2', doesNothing: true});
        expect(await machine.work('download')).toMatchObject({state: 'failed'});
    });
});

describe('a switch', () => {
    const toSnowfield = {target: 'snowfield', reference: SNOWFIELD};

    it('stages the other image and follows it', async () => {
        expect(await machine.work('switch', toSnowfield)).toMatchObject({
            state: 'done',
            target: 'snowfield',
            results: {outcome: 'staged', image: SNOWFIELD, version: '7'},
        });
        expect(await machine.read(STAGED)).toContain(`image=${SNOWFIELD}\n`);
    });

    it('that changed nothing is a failure', async () => {
        machine.manners.doesNothing = true;
        const end = await machine.work('switch', toSnowfield);
        expect(end.error?.[1]).toContain('is still followed');
    });

    it('to what is followed already is refused', async () => {
        for (const reference of [machine.status.followed, 'ghcr.io/frostyard/snow'])
            expect((await machine.work('switch', {reference})).error?.[0]).toBe('WrongState');
        expect(machine.calls).not.toContain('switch');
    });
});

describe('a rollback', () => {
    it('queues the earlier image, once', async () => {
        machine.status = statusOf({staged: deployment('2')});
        expect(await machine.work('rollback')).toMatchObject({
            state: 'done',
            results: {version: '0'},
        });
        expect(await machine.read(STAGED)).toBeNull();
        expect(await machine.read(RELEASE)).toContain('VERSION_ID');
        machine.calls.length = 0;
        expect(await machine.work('rollback')).toMatchObject({state: 'done'});
        expect(machine.calls).not.toContain('rollback');
    });

    it('needs an earlier image', async () => {
        machine.status = statusOf({rollback: null});
        expect((await machine.work('rollback')).error?.[0]).toBe('WrongState');
    });

    it('that was not queued failed', async () => {
        machine.manners.doesNothing = true;
        expect((await machine.work('rollback')).error?.[0]).toBe('Failed');
    });
});

describe('taking back what is staged', () => {
    it('removes what was said of it', async () => {
        machine.manners.newest = '2';
        await machine.work('update');
        expect(await machine.work('unstage')).toMatchObject({state: 'done'});
        expect(await machine.read(STAGED)).toBeNull();
        expect(await machine.read(RELEASE)).toBeNull();
        expect((await machine.work('unstage')).error?.[0]).toBe('WrongState');
    });
});

describe('cancelling', () => {
    it('before anything began changes nothing', async () => {
        machine.manners.newest = '2';
        const end = await machine.work('update', {signal: AbortSignal.abort()});
        expect(end).toMatchObject({state: 'cancelled', error: ['Cancelled', expect.anything()]});
        expect(machine.calls).toEqual(['clean up']);
        expect(await machine.read(CHECK)).toBeNull();
    });

    it('during the change leaves what was before, and cleans up', async () => {
        Object.assign(machine.manners, {newest: '2', duration: 100});
        const end = await machine.work('update', {signal: AbortSignal.timeout(50)});
        expect(end).toMatchObject({
            state: 'cancelled',
            error: ['Cancelled', 'Cancelled; the next restart starts what it would have before'],
        });
        expect(machine.calls.at(-1)).toBe('clean up');
        expect(machine.status.staged).toBeNull();
        expect(await machine.read(CHECK)).toBeNull();
        expect(await readHistory(machine.host)).toMatchObject([{outcome: 'cancelled'}]);
    });

    it('too late is done, and without the extensions', async () => {
        Object.assign(machine.manners, {newest: '2', duration: 100, ignoresAbort: true});
        const end = await machine.work('update', {signal: AbortSignal.timeout(50)});
        expect(end).toMatchObject({
            state: 'done',
            results: {outcome: 'staged', warnings: [expect.stringContaining('too late')]},
        });
        expect(await machine.read(STAGED)).toContain(digestOf('2'));
    });
});

describe('an image that another program staged', () => {
    const follow = (): Promise<void> =>
        followStaged(
            {
                ...machine,
                progress: {step: () => undefined, bytes: () => undefined},
                signal: new AbortController().signal,
            },
            {
                info: text => void machine.journal.push(text),
                notice: text => void machine.journal.push(text),
            },
        );

    it('is followed by the extensions, once', async () => {
        machine.status = statusOf({staged: deployment('2')});
        machine.outlooks = [
            {feature: 'docker', state: 'ready', version: '3', text: ''},
            {feature: 'podman', state: 'missing', version: '', text: 'podman has none for 14'},
        ];
        await follow();
        expect(machine.journal).toEqual(['Ready for 2: docker', 'podman has none for 14']);
        expect(await machine.read(RELEASE)).toContain('VERSION_ID="14"');
        await follow();
        machine.status = statusOf({staged: deployment('3')});
        await follow();
        expect(machine.calls).toEqual(['fetch extensions', 'fetch extensions']);
    });

    it('that was followed by our own job is left alone', async () => {
        machine.manners.newest = '2';
        await machine.work('update');
        machine.calls.length = 0;
        await follow();
        expect(machine.calls).toEqual([]);
    });

    it('and took back again is forgotten', async () => {
        machine.status = statusOf({staged: deployment('2')});
        await follow();
        machine.status = statusOf();
        await follow();
        expect(await machine.read(RELEASE)).toBeNull();
    });
});

describe('on a machine that nobody manages', () => {
    it('says so', async () => {
        machine.driver.detect = () => Promise.resolve(false);
        expect((await machine.work('update')).error?.[0]).toBe('NotSupported');
    });
});
