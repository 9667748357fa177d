// SPDX-License-Identifier: GPL-2.0-or-later
// Tells what ended while nobody looked at the menu.
import Gio from 'gi://Gio';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as MessageTray from 'resource:///org/gnome/shell/ui/messageTray.js';

import {ICON_NAME} from './features-toggle.js';
import type {EndedJob, RefusedCall, SnowClient} from './snow-client.js';
import {fill, gettext as _, ngettext} from './text.js';
import {hasUpdate} from './feature-view.js';

/** The person said no, or is not allowed to: nothing that they have to be told. */
const ANSWERS = ['org.frostyard.Snow1.Error.NotAuthorized', 'org.frostyard.Snow1.Error.Cancelled'];

interface Message {
    readonly title: string;
    readonly body: string;
}

export class Notifications {
    #client: SnowClient;
    #settings: Gio.Settings;
    #isWatched: () => boolean;
    #source: MessageTray.Source | null = null;
    #handlers: readonly number[];

    /** `isWatched` says whether the menu that shows the same is open. */
    constructor(client: SnowClient, settings: Gio.Settings, isWatched: () => boolean) {
        this.#client = client;
        this.#settings = settings;
        this.#isWatched = isWatched;
        this.#handlers = [
            client.connect('job-ended', (_client, ended: EndedJob) => this.#onEnded(ended)),
            client.connect('call-refused', (_client, call: RefusedCall) => this.#onRefused(call)),
        ];
    }

    destroy(): void {
        for (const id of this.#handlers) this.#client.disconnect(id);
        this.#source?.destroy(MessageTray.NotificationDestroyedReason.SOURCE_CLOSED);
    }

    #onEnded(ended: EndedJob): void {
        const {Operation, Target, State, StartedByUID, Error: failure} = ended.job;
        const isOwn = StartedByUID === this.#client.uid;
        if (isOwn && this.#isWatched()) return;

        if (State === 'failed') {
            const [, message] = failure;
            this.#tellFailure({title: failureTitle(Operation, Target), body: message}, isOwn);
        } else if (State === 'done') {
            const message = this.#describeResult(ended, isOwn);
            if (message && this.#settings.get_boolean('notify-finished'))
                this.#show(message, isOwn);
        }
    }

    #onRefused({operation, target, refusal}: RefusedCall): void {
        if (this.#isWatched() || ANSWERS.includes(refusal.name)) return;
        this.#tellFailure({title: failureTitle(operation, target), body: refusal.message}, true);
    }

    #tellFailure(message: Message, isOwn: boolean): void {
        if (this.#settings.get_boolean('notify-failures')) this.#show(message, isOwn);
    }

    /** Null: nothing worth a word. What others did is only told where it brought something new. */
    #describeResult({job, results}: EndedJob, isOwn: boolean): Message | null {
        const name = job.Target;
        const version = typeof results.version === 'string' ? results.version : '';
        const features = Array.isArray(results.features) ? results.features.map(String) : [];
        const later = results.merged === false ? _('Active after a restart') : '';
        const versionText = version && fill(_('Version %s'), version);

        if (job.Operation === 'features.update') {
            if (features.length === 0 && !(isOwn && name)) return null;
            const names = features.join(', ') || name;
            return {
                title: _('Extensions updated'),
                body: [names, later].filter(Boolean).join('\n'),
            };
        }
        if (!isOwn) return null;

        switch (job.Operation) {
            case 'features.enable':
                return {
                    title: later ? fill(_('%s installed'), name) : fill(_('%s is ready'), name),
                    body: later || versionText,
                };
            case 'features.disable':
                return {title: fill(_('%s removed'), name), body: ''};
            case 'features.rollback':
                return {title: fill(_('%s rolled back'), name), body: later || versionText};
            case 'features.check':
                return this.#describeUpdates();
            default:
                return null;
        }
    }

    #describeUpdates(): Message {
        const names = this.#client.features.filter(hasUpdate).map(feature => feature.Name);
        if (names.length === 0) return {title: _('Extensions are up to date'), body: ''};
        const title = ngettext('%s update available', '%s updates available', names.length);
        return {title: fill(title, names.length), body: names.join(', ')};
    }

    /** What the person did not start goes to the list without a banner. */
    #show({title, body}: Message, isOwn: boolean): void {
        const source = this.#getSource();
        const notification = new MessageTray.Notification({
            source,
            title,
            body,
            gicon: new Gio.ThemedIcon({name: ICON_NAME}),
            urgency: isOwn ? MessageTray.Urgency.NORMAL : MessageTray.Urgency.LOW,
        });
        source.addNotification(notification);
    }

    #getSource(): MessageTray.Source {
        if (this.#source) return this.#source;
        const source = new MessageTray.Source({
            title: _('Extensions'),
            icon: new Gio.ThemedIcon({name: ICON_NAME}),
        });
        source.connect('destroy', () => {
            this.#source = null;
        });
        Main.messageTray.add(source);
        this.#source = source;
        return source;
    }
}

function failureTitle(operation: string, target: string): string {
    switch (operation) {
        case 'features.enable':
            return fill(_('Could not install %s'), target);
        case 'features.disable':
            return fill(_('Could not remove %s'), target);
        case 'features.rollback':
            return fill(_('Could not roll back %s'), target);
        case 'features.update':
            return target
                ? fill(_('Could not update %s'), target)
                : _('Could not update extensions');
        case 'features.check':
            return _('Could not check for updates');
        default:
            return _('Could not change extensions');
    }
}
