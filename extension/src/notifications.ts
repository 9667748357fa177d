// SPDX-License-Identifier: GPL-2.0-or-later
// Tells what ended while nobody looked at its menu, and of an update that waits for a restart.
import Gio from 'gi://Gio';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as MessageTray from 'resource:///org/gnome/shell/ui/messageTray.js';

import {describeFeatures, featureFailureTitle} from './feature-messages.js';
import {ICON_NAME as FEATURES_ICON_NAME} from './features-toggle.js';
import {describeImage, describeStaged, imageFailureTitle} from './image-messages.js';
import {describeIntune, intuneFailureTitle} from './intune-messages.js';
import {ICON_NAME as INTUNE_ICON_NAME} from './intune-text.js';
import type {Message} from './message.js';
import {askToRestart, canRestart} from './session-restart.js';
import type {EndedJob, RefusedCall, SnowClient} from './snow-client.js';
import {type Domain, domainOf, isOfUser} from './snow-objects.js';
import {StagedNotice} from './staged-notice.js';
import {ICON_NAME as SYSTEM_ICON_NAME} from './system-toggle.js';
import {gettext as _} from './text.js';

/** The person said no, or is not allowed to: nothing that they have to be told. */
const ANSWERS = ['org.frostyard.Snow1.Error.NotAuthorized', 'org.frostyard.Snow1.Error.Cancelled'];

const ICON_NAMES: Readonly<Record<Domain, string>> = {
    features: FEATURES_ICON_NAME,
    image: SYSTEM_ICON_NAME,
    intune: INTUNE_ICON_NAME,
};

export class Notifications {
    #client: SnowClient;
    #settings: Gio.Settings;
    #isWatched: (domain: Domain) => boolean;
    #sources = new Map<Domain, MessageTray.Source>();
    #handlers: readonly number[];
    #stagedNotice: StagedNotice;

    /** `isWatched` says whether the menu that shows the same is open. */
    constructor(
        client: SnowClient,
        settings: Gio.Settings,
        isWatched: (domain: Domain) => boolean,
    ) {
        this.#client = client;
        this.#settings = settings;
        this.#isWatched = isWatched;
        this.#handlers = [
            client.connect('job-ended', (_client, ended: EndedJob) => this.#onEnded(ended)),
            client.connect('call-refused', (_client, call: RefusedCall) => this.#onRefused(call)),
        ];
        this.#stagedNotice = new StagedNotice(client, identity => this.#tellStaged(identity));
    }

    destroy(): void {
        this.#stagedNotice.destroy();
        for (const id of this.#handlers) this.#client.disconnect(id);
        for (const source of [...this.#sources.values()])
            source.destroy(MessageTray.NotificationDestroyedReason.SOURCE_CLOSED);
    }

    #onEnded(ended: EndedJob): void {
        const {Operation, Target, State, StartedByUID, Error: failure} = ended.job;
        if (!isOfUser(ended.job, this.#client.uid)) return;
        const isOwn = StartedByUID === this.#client.uid;
        const domain = knownDomain(Operation);
        if (isOwn && this.#isWatched(domain)) return;

        if (State === 'failed') {
            const [, message] = failure;
            this.#tellFailure(
                domain,
                {title: failureTitle(Operation, Target), body: message},
                isOwn,
            );
        } else if (State === 'done') {
            const message = this.#describe(domain, ended, isOwn);
            if (message && this.#settings.get_boolean('notify-finished'))
                this.#show(domain, message, isOwn);
        }
    }

    #describe(domain: Domain, ended: EndedJob, isOwn: boolean): Message | null {
        const {features, image, intune} = this.#client;
        switch (domain) {
            case 'features':
                return describeFeatures(ended, isOwn, features);
            case 'image':
                return describeImage(ended.job, isOwn, image);
            default:
                return describeIntune(ended.job, isOwn, intune);
        }
    }

    #onRefused({operation, target, refusal}: RefusedCall): void {
        const domain = knownDomain(operation);
        if (this.#isWatched(domain) || ANSWERS.includes(refusal.name)) return;
        const title = failureTitle(operation, target);
        this.#tellFailure(domain, {title, body: refusal.message}, true);
    }

    #tellFailure(domain: Domain, message: Message, isOwn: boolean): void {
        if (this.#settings.get_boolean('notify-failures')) this.#show(domain, message, isOwn);
    }

    #tellStaged(identity: string): boolean {
        const {image} = this.#client;
        if (!image || !this.#settings.get_boolean('notify-system-update')) return false;
        if (!this.#isWatched('image')) this.#show('image', describeStaged(identity, image), true);
        return true;
    }

    /** What the person need not see at once goes to the list without a banner. */
    #show(domain: Domain, {title, body, isForRestart}: Message, isUrgent: boolean): void {
        const source = this.#getSource(domain);
        const notification = new MessageTray.Notification({
            source,
            title,
            body,
            gicon: new Gio.ThemedIcon({name: ICON_NAMES[domain]}),
            urgency: isUrgent ? MessageTray.Urgency.NORMAL : MessageTray.Urgency.LOW,
        });
        if (isForRestart && canRestart()) notification.addAction(_('Restart…'), askToRestart);
        source.addNotification(notification);
    }

    #getSource(domain: Domain): MessageTray.Source {
        const known = this.#sources.get(domain);
        if (known) return known;
        const source = new MessageTray.Source({
            title: titleOf(domain),
            icon: new Gio.ThemedIcon({name: ICON_NAMES[domain]}),
        });
        source.connect('destroy', () => this.#sources.delete(domain));
        Main.messageTray.add(source);
        this.#sources.set(domain, source);
        return source;
    }
}

function knownDomain(operation: string): Domain {
    const domain = domainOf(operation);
    return domain === 'image' || domain === 'intune' ? domain : 'features';
}

function titleOf(domain: Domain): string {
    const titles: Readonly<Record<Domain, string>> = {
        features: _('Extensions'),
        image: _('System'),
        intune: _('Intune'),
    };
    return titles[domain];
}

function failureTitle(operation: string, target: string): string {
    switch (knownDomain(operation)) {
        case 'features':
            return featureFailureTitle(operation, target);
        case 'image':
            return imageFailureTitle(operation, target);
        default:
            return intuneFailureTitle(operation);
    }
}
