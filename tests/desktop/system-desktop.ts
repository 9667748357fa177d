// SPDX-License-Identifier: GPL-2.0-or-later
// The toggle "System" in front of the real service, worker and polkit, used as a person does.
import {Desktop} from '../lab/desktop.ts';
import type {Guest} from '../lab/guest.ts';
import {PASSWORD} from '../lab/trees.ts';
import {
    UUID,
    confirmation,
    indicator,
    startSessionManager,
    systemMenu,
    systemMenuButton,
    systemToggle,
} from './extension-desktop.ts';

/** For what a program does before it shows. */
export const LONG = {timeout: 60_000};

const passwordEntry = {styleClass: 'prompt-dialog-password-entry'};
const banner = {styleClass: 'notification-banner'};
const endSession = {styleClass: 'end-session-dialog'};
export const action = (label: string) => ({
    type: 'SnowControlActionItem',
    label,
    inside: systemMenu,
});

export class SystemDesktop {
    private constructor(
        readonly guest: Guest,
        readonly desktop: Desktop,
    ) {}

    /** A guest with sessionFiles. */
    static async start(guest: Guest): Promise<SystemDesktop> {
        const desktop = await Desktop.start(guest, {extensions: [UUID]});
        await startSessionManager(desktop);
        return new SystemDesktop(guest, desktop);
    }

    async openMenu(): Promise<void> {
        const {desktop} = this;
        if (await desktop.isShown(systemMenu)) return;
        if (!(await desktop.isShown(systemToggle))) await desktop.openQuickSettings();
        await desktop.click(systemMenuButton, LONG);
        await desktop.find(action('Check for Updates'), LONG);
    }

    async closeMenu(): Promise<void> {
        await this.desktop.eval('Main.panel.closeQuickSettings()');
    }

    /** Everything that the menu says, a line each. */
    async texts(): Promise<string> {
        return (await this.desktop.find(systemMenu)).text;
    }

    async choose(label: string): Promise<void> {
        await this.openMenu();
        await this.desktop.click(action(label), LONG);
    }

    async expectText(pattern: RegExp): Promise<void> {
        await this.openMenu();
        await this.desktop.waitFor(async () => pattern.test(await this.texts()), {
            ...LONG,
            what: `the menu to say ${pattern.source}`,
        });
    }

    async expectToggle(subtitle: string | RegExp): Promise<void> {
        const {desktop} = this;
        if (!(await desktop.isShown(systemToggle))) await desktop.openQuickSettings();
        await desktop.waitFor(
            async () => {
                const [title, ...rest] = (await desktop.find(systemToggle)).text.split('\n');
                const said = rest.join('\n');
                const isSaid =
                    typeof subtitle === 'string' ? said === subtitle : subtitle.test(said);
                return title === 'System' && isSaid;
            },
            {...LONG, what: `the toggle to say ${String(subtitle)}`},
        );
    }

    /** Presses the button of the job that runs, and waits until it is over. */
    async cancel(): Promise<void> {
        await this.desktop.click({name: 'Cancel: System'}, LONG);
        await this.desktop.waitGone(indicator, LONG);
    }

    /** Until the password is asked for, and it is told. */
    async typePassword(): Promise<void> {
        const {desktop} = this;
        await desktop.find(passwordEntry, LONG);
        await desktop.type(PASSWORD);
        await desktop.key('Return');
        await desktop.waitGone(passwordEntry, LONG);
    }

    /** Until something is so, and answers for the password if it is asked for. */
    async waitWithPassword(isMet: () => Promise<boolean>, what: string): Promise<void> {
        await this.desktop.waitFor(
            async () => {
                if (await this.desktop.isShown(passwordEntry)) await this.typePassword();
                return isMet();
            },
            {...LONG, what},
        );
    }

    /** Answers the question that is on the screen, which has to have this in it. */
    async confirm(text: string, answer: string, screenshot?: string): Promise<void> {
        const {desktop} = this;
        const {text: question} = await desktop.find(confirmation);
        if (!question.includes(text))
            throw new Error(`it is asked for something else: ${question}`);
        if (screenshot) await this.screenshot(screenshot);
        await desktop.click({styleClass: 'modal-dialog-button', label: answer});
    }

    /** Waits for a banner of the system, and takes it away: the texts of all that there are. */
    async notification(screenshot: string): Promise<readonly string[]> {
        const {desktop} = this;
        await desktop.find({...banner, label: 'System'}, LONG);
        const bodies = await desktop.eval<readonly string[]>(
            'Main.messageTray.getSources().flatMap(({notifications}) => notifications.map(({body}) => body))',
        );
        await this.screenshot(screenshot);
        await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
        return bodies;
    }

    /** Clicks on the row that restarts the computer, and says no to the shell's question. */
    async askRestart(): Promise<void> {
        const {desktop} = this;
        await this.expectToggle('Restart to finish');
        await this.openMenu();
        await desktop.click({type: 'SnowControlRestartItem'});
        await desktop.find(endSession, LONG);
        await desktop.key('Escape');
        await desktop.waitGone(endSession);
    }

    /** What snowctl says of the image. */
    async status(): Promise<Readonly<Record<string, unknown>>> {
        const text = await this.guest.check(['snowctl', 'image', 'status', '--json']);
        return JSON.parse(text) as Readonly<Record<string, unknown>>;
    }

    /** What is not named may be anything. Answers for the password if it is asked for. */
    async waitForStatus(wanted: Readonly<Record<string, unknown>>): Promise<void> {
        await this.waitWithPassword(
            async () => isLike(await this.status(), wanted),
            `the image to be ${JSON.stringify(wanted)}`,
        );
    }

    async screenshot(name: string): Promise<void> {
        await this.desktop.screenshot(`out/desktop/${name}.png`);
    }
}

function isLike(found: unknown, wanted: unknown): boolean {
    if (typeof wanted !== 'object' || wanted === null) return found === wanted;
    if (typeof found !== 'object' || found === null) return false;
    const fields = new Map<string, unknown>(Object.entries(found));
    return Object.entries(wanted).every(([key, value]) => isLike(fields.get(key), value));
}
