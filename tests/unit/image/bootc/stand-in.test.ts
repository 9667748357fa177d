// SPDX-License-Identifier: GPL-2.0-or-later
// The stand-in for bootc speaks as bootc does: by bootc's own schemas where a machine has them, and by
// their outline in any case.
import {execFileSync} from 'node:child_process';
import {constants, closeSync, openSync, readSync, writeFileSync} from 'node:fs';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {Ajv2020, type ValidateFunction} from 'ajv/dist/2020.js';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';

import {imageStatusOf, importStatus} from '../../../../helper/src/image/bootc/status.ts';
import {importProgress} from '../../../../helper/src/image/bootc/progress.ts';
import type {Fault, StandInConfiguration} from '../../../lab/image/bootc/configuration.ts';
import {statusDocument} from '../../../lab/image/bootc/document.ts';
import {type State, deploymentOf} from '../../../lab/image/bootc/machine.ts';
import {ProgressWriter} from '../../../lab/image/bootc/progress-writer.ts';
import {IMAGE, listedImage} from '../../../lab/image/bootc/stand-in.ts';
import {isAtLeast} from '../../../lab/image/bootc/versions.ts';

/** Beside the repository, unless it is told where. */
const SCHEMAS =
    process.env['SNOW_CONTRACTS'] ?? join(import.meta.dirname, '../../../../../shared/contracts');

const validators = new Map<string, Promise<ValidateFunction | null>>();

async function compileSchema(schema: string): Promise<ValidateFunction | null> {
    const text = await readFile(join(SCHEMAS, schema), 'utf8').catch(() => null);
    // Of the formats that these have, none is of a text.
    const ajv = new Ajv2020({strict: false, validateFormats: false});
    return text === null ? null : ajv.compile(JSON.parse(text) as object);
}

/** What is wrong with a value by a schema of bootc; nothing where the schema is not there. */
async function faultsBy(schema: string, value: unknown): Promise<unknown> {
    const validator = validators.get(schema) ?? compileSchema(schema);
    validators.set(schema, validator);
    const validate = await validator;
    validate?.(value);
    return validate?.errors ?? [];
}

function source(version: string) {
    return {canSoftReboot: true, ...listedImage({version})};
}

const spec = {image: IMAGE, transport: 'registry'};
const state: State = {
    booted: deploymentOf(spec, source('1')),
    staged: deploymentOf({...spec, signature: 'containerPolicy'}, source('2')),
    isDownloadOnly: true,
    rollback: deploymentOf(spec, source('0')),
    isRollbackQueued: false,
    cachedUpdate: source('3'),
};

const versions = [
    '0.1.9',
    '0.1.10',
    '1.0.0',
    '1.1.4',
    '1.6.0',
    '1.7.0',
    '1.12.0',
    '1.14.0',
    '1.16.3',
];

describe.each(['ostree', 'composefs'] as const)('the status of a store of %s', store => {
    test.each(versions)('by version %s', async version => {
        const configuration = {version, store} as StandInConfiguration;
        const document = statusDocument(configuration, state);
        expect(await faultsBy('bootc-host-v1.schema.json', document)).toEqual([]);
        const {status} = document as {readonly status: Readonly<Record<string, object>>};
        expect('rollbackQueued' in status).toBe(isAtLeast(version, '0.1.10'));
        expect('otherDeployments' in status).toBe(isAtLeast(version, '1.6.0'));
        expect('softRebootCapable' in (status['staged'] ?? {})).toBe(isAtLeast(version, '1.7.0'));
        expect('downloadOnly' in (status['staged'] ?? {})).toBe(isAtLeast(version, '1.12.0'));

        const read = imageStatusOf(importStatus(JSON.stringify(document)), {hasStageScript: false});
        const name = isAtLeast(version, '1.12.0') ? 'downloaded' : 'staged';
        expect(read).toMatchObject({[name]: {version: '2'}, rollback: {version: '0'}, problem: ''});
    });
});

test('without bootc there is no image', async () => {
    const document = statusDocument(
        {version: '1.16.3', store: 'none'} as StandInConfiguration,
        null,
    );
    expect(await faultsBy('bootc-host-v1.schema.json', document)).toEqual([]);
    expect(document).toMatchObject({spec: {image: null}, status: {booted: null, type: null}});
});

describe('progress', () => {
    let directory: string;

    beforeEach(async () => {
        directory = await mkdtemp(join(tmpdir(), 'snow-progress-'));
    });
    afterEach(() => rm(directory, {recursive: true, force: true}));

    function written(fault: Fault | null): readonly string[] {
        const path = join(directory, 'pipe');
        execFileSync('mkfifo', [path]);
        const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
        const writer = new ProgressWriter(fd, fault);
        writer.pull(source('2'), 0);
        writer.pull(source('2'), 1);
        writer.stage(source('2').digest);
        const buffer = Buffer.alloc(256 * 1024);
        const length = readSync(fd, buffer);
        closeSync(fd);
        return buffer.toString('utf8', 0, length).trimEnd().split('\n');
    }

    test('is of the schema, and starts by its version', async () => {
        const lines = written(null);
        expect(JSON.parse(lines[0] ?? '')).toEqual({type: 'Start', version: '0.1.0'});
        for (const line of lines) {
            expect(await faultsBy('bootc-progress-v0.schema.json', JSON.parse(line))).toEqual([]);
            importProgress(line);
        }
        expect(lines.map(line => (JSON.parse(line) as {type: string}).type)).toContain(
            'ProgressSteps',
        );
    });

    test('has lines of 12 KiB on demand, which are of the schema as well', async () => {
        const longest = [...written('long-progress')].sort((a, b) => b.length - a.length)[0] ?? '';
        expect(longest.length).toBeGreaterThan(12 * 1024);
        expect(await faultsBy('bootc-progress-v0.schema.json', JSON.parse(longest))).toEqual([]);
    });

    test('goes to a pipe and nowhere else', () => {
        const path = join(directory, 'file');
        writeFileSync(path, '');
        const fd = openSync(path, 'w');
        expect(() => new ProgressWriter(fd, null)).toThrow('not a pipe');
        closeSync(fd);
        expect(() => new ProgressWriter(1, null)).toThrow('Cannot use fd 1');
    });
});
