// SPDX-License-Identifier: GPL-2.0-or-later
import Adw from 'gi://Adw';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {ExtensionPreferences} from 'resource:///org/gnome/Shell/Extensions/js/extensions/prefs.js';

import {setAutomatic} from './feature-calls.js';
import {type EndedJob, type RefusedCall, SnowClient} from './snow-client.js';
import {isRunning} from './snow-objects.js';
import {gettext as _} from './text.js';

export default class SnowControlPreferences extends ExtensionPreferences {
    // eslint-disable-next-line require-await -- the shell awaits it
    override async fillPreferencesWindow(window: Adw.PreferencesWindow): Promise<void> {
        const settings = this.getSettings();
        const page = new Adw.PreferencesPage({
            title: _('Snow Control'),
            iconName: 'application-x-addon-symbolic',
        });
        page.add(
            createSwitches(settings, _('Quick Settings'), [
                {key: 'show-system', title: _('Show System'), subtitle: ''},
                {key: 'show-features', title: _('Show Extensions'), subtitle: ''},
                {key: 'show-intune', title: _('Show Intune'), subtitle: ''},
            ]),
        );
        page.add(
            createSwitches(settings, _('Notifications'), [
                {
                    key: 'notify-system-update',
                    title: _('System Updates'),
                    subtitle: _('An update of the system that waits for a restart'),
                },
                {
                    key: 'notify-devices',
                    title: _('Devices'),
                    subtitle: _('A device that you are to be asked about for Intune'),
                },
                {
                    key: 'notify-finished',
                    title: _('Finished Work'),
                    subtitle: _('What was installed, removed, updated or rolled back'),
                },
                {
                    key: 'notify-failures',
                    title: _('Failures'),
                    subtitle: _('What could not be installed, removed, updated or rolled back'),
                },
            ]),
        );
        const client = new SnowClient();
        page.add(createUpdates(client, window));
        page.add(createAbout(client, this.metadata['version-name'] ?? ''));
        window.add(page);
        window.connect('close-request', () => {
            client.destroy();
            return false;
        });
        client.start().catch((error: unknown) => console.error(error));
    }
}

function createSwitches(
    settings: Gio.Settings,
    title: string,
    rows: readonly {key: string; title: string; subtitle: string}[],
): Adw.PreferencesGroup {
    const group = new Adw.PreferencesGroup({title});
    for (const {key, ...texts} of rows) {
        const row = new Adw.SwitchRow(texts);
        settings.bind(key, row, 'active', Gio.SettingsBindFlags.DEFAULT);
        group.add(row);
    }
    return group;
}

/** The automatic updates belong to the service: the row shows its state, and asks it for another. */
function createUpdates(client: SnowClient, window: Adw.PreferencesWindow): Adw.PreferencesGroup {
    const group = new Adw.PreferencesGroup({title: _('Extensions')});
    const automatic = new Adw.SwitchRow({
        title: _('Automatic Updates'),
        subtitle: _('Fetched in the background, active after the next restart'),
        sensitive: false,
    });
    const lastCheck = new Adw.ActionRow({title: _('Last Check')});
    lastCheck.add_css_class('property');
    group.add(automatic);
    group.add(lastCheck);

    // What the switch shows: the state of the service, or what it is on its way to.
    let shown = false;
    let isAsked = false;
    const isBusy = () =>
        isAsked ||
        client.surroundings.jobs.some(
            job => isRunning(job) && job.Operation === 'features.automatic',
        );
    const sync = () => {
        const {summary} = client;
        if (!isBusy()) shown = summary?.Automatic ?? false;
        automatic.active = shown;
        automatic.sensitive = summary !== null;
        lastCheck.subtitle = summary?.LastCheck ? formatTime(summary.LastCheck) : _('Never');
    };
    automatic.connect('notify::active', () => {
        if (automatic.active === shown) return;
        if (!isBusy()) {
            shown = automatic.active;
            isAsked = true;
            void setAutomatic(client, shown).then(() => {
                isAsked = false;
                sync();
            });
        }
        sync();
    });
    const tell = (title: string) => {
        window.add_toast(new Adw.Toast({title, useMarkup: false}));
    };
    client.connect('changed', sync);
    client.connect('call-refused', (_client, {refusal}: RefusedCall) => tell(refusal.message));
    client.connect('job-ended', (_client, {job}: EndedJob) => {
        const [, message] = job.Error;
        if (job.Operation === 'features.automatic' && message) tell(message);
    });
    sync();
    return group;
}

function createAbout(client: SnowClient, version: string): Adw.PreferencesGroup {
    const group = new Adw.PreferencesGroup({title: _('About')});
    const extension = new Adw.ActionRow({title: _('Version'), subtitle: version});
    const service = new Adw.ActionRow({title: _('Service')});
    for (const row of [extension, service]) {
        row.add_css_class('property');
        group.add(row);
    }
    const sync = () => {
        service.subtitle =
            client.version ||
            client.problem ||
            (client.isAvailable ? _('Unknown') : _('Not installed'));
    };
    client.connect('changed', sync);
    sync();
    return group;
}

/** Seconds since 1970, as the desktop writes a date and a time. */
function formatTime(seconds: number): string {
    return GLib.DateTime.new_from_unix_local(seconds).format('%c') ?? '';
}
