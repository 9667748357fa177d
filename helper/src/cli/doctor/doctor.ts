// SPDX-License-Identifier: GPL-2.0-or-later
import type {CommandAction} from '../context.ts';
import {PROBLEMS_FOUND, SUCCESS} from '../exit-codes.ts';
import {printable} from '../text.ts';
import {diagnose, type Finding} from './checks.ts';
import {readFacts} from './facts.ts';

export const runDoctor: CommandAction = async ({host, output}) => {
    const findings = diagnose(await readFacts(host));
    const problems = findings.filter(({severity}) => severity === 'problem');
    const isHealthy = problems.length === 0;
    output.result({healthy: isHealthy, findings}, () => findingsText(findings));
    return isHealthy ? SUCCESS : PROBLEMS_FOUND;
};

function findingsText(findings: readonly Finding[]): string {
    if (findings.length === 0) return 'No problem was found.\n';
    return findings
        .map(({severity, message, advice}) => {
            const title = severity === 'problem' ? 'Problem' : 'Note';
            return `${title}: ${printable(message)}\n  ${printable(advice)}\n`;
        })
        .join('');
}
