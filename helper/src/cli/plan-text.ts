// SPDX-License-Identifier: GPL-2.0-or-later

/** What --dry-run says. */
export function planText(steps: readonly string[]): string {
    return steps.length === 0
        ? 'There is nothing to do.\n'
        : `This would be done:\n${steps.map(step => `  ${step}\n`).join('')}`;
}
