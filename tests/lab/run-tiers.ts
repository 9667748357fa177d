// SPDX-License-Identifier: GPL-2.0-or-later
// Runs every tier, fastest first, and ends with one line of totals. A tier in which nothing ran, or
// something was skipped, has failed.

import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';

import {builtExtensions} from './extensions.ts';
import {installedSystem} from './installation.ts';
import {intuneRegistry} from './intune/image.ts';
import {tree} from './trees.ts';

interface Totals {
    readonly passed: number;
    readonly failed: number;
}

/** The part of vitest's JSON report that is counted. */
interface Report {
    readonly numPassedTests: number;
    readonly numFailedTests: number;
    readonly numPendingTests: number;
    readonly numTodoTests: number;
    readonly testResults: readonly {
        readonly status: string;
        readonly name: string;
        readonly message: string;
        readonly assertionResults: readonly {
            readonly status: string;
            readonly fullName: string;
            readonly failureMessages: readonly string[];
        }[];
    }[];
}

const reports = await mkdtemp(join(tmpdir(), 'snow-control-tiers-'));
const tiers: readonly (readonly [string, () => Promise<Totals>])[] = [
    ['lint', () => command('lint')],
    ['typecheck', () => command('typecheck')],
    ['unit', () => tier('unit')],
    ['bus', () => tier('bus')],
    ['guests', prepareGuests],
    ['guest', () => tier('guest')],
    ['desktop', () => tier('desktop')],
];

/** Again at the end, where a log that was cut still has them. */
const failures: string[] = [];
const results: {name: string; totals: Totals; seconds: number}[] = [];
try {
    for (const [name, run] of tiers) {
        console.log(`\n== ${name}`);
        const started = Date.now();
        const totals = await run();
        results.push({name, totals, seconds: Math.round((Date.now() - started) / 1000)});
    }
} finally {
    await rm(reports, {recursive: true, force: true});
}

console.log('');
for (const failure of failures) console.log(failure);
for (const {name, totals, seconds} of results)
    console.log(`${name}: ${totals.passed} passed, ${totals.failed} failed, ${seconds} s`);
const passed = results.reduce((sum, {totals}) => sum + totals.passed, 0);
const failed = results.reduce((sum, {totals}) => sum + totals.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** An npm script counts as one test. */
async function command(script: string): Promise<Totals> {
    const {exitCode} = await execa('npm', ['run', '--silent', script], {
        stdio: 'inherit',
        reject: false,
    });
    return exitCode === 0 ? {passed: 1, failed: 0} : {passed: 0, failed: 1};
}

async function tier(name: string): Promise<Totals> {
    const report = join(reports, `${name}.json`);
    const {exitCode} = await execa(
        'npx',
        [
            'vitest',
            'run',
            '--project',
            name,
            '--reporter=default',
            '--reporter=json',
            `--outputFile.json=${report}`,
        ],
        {stdio: 'inherit', reject: false},
    );
    const text = await readFile(report, 'utf8').catch(() => null);
    if (text === null) {
        console.error(`The tier ${name} ended without a report`);
        return {passed: 0, failed: 1};
    }
    return count(name, JSON.parse(text) as Report, exitCode);
}

function count(name: string, report: Report, exitCode: number | undefined): Totals {
    for (const file of report.testResults) {
        if (file.status !== 'failed') continue;
        if (file.message !== '') failures.push(`FAILED ${file.name}: ${excerpt(file.message)}`);
        for (const test of file.assertionResults)
            if (test.status === 'failed')
                failures.push(
                    `FAILED ${file.name}: ${test.fullName}: ${excerpt(test.failureMessages.join('\n'))}`,
                );
    }
    const skipped = report.numPendingTests + report.numTodoTests;
    if (skipped > 0)
        console.error(`The tier ${name} skipped ${skipped} tests, which counts as failed`);
    const passed = report.numPassedTests;
    let failed = report.numFailedTests + skipped;
    // A file that could not be loaded has no tests of its own to count.
    if (failed === 0 && (exitCode !== 0 || passed === 0)) failed = 1;
    return {passed, failed};
}

function excerpt(text: string): string {
    return text.split('\n').slice(0, 12).join('\n    ').slice(0, 1500);
}

async function prepareGuests(): Promise<Totals> {
    try {
        await Promise.all([tree('desktop'), tree('workstation')]);
        await Promise.all([tree('peer'), builtExtensions(), intuneRegistry()]);
        // One installation for all the processes that boot guests.
        process.env['SNOW_LAB_INSTALL'] = await installedSystem();
        return {passed: 1, failed: 0};
    } catch (error) {
        console.error(error);
        return {passed: 0, failed: 1};
    }
}
