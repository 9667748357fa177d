// SPDX-License-Identifier: GPL-2.0-or-later
// The rows of all features, which scroll when they are many.
import Clutter from 'gi://Clutter';
import GObject from 'gi://GObject';
import St from 'gi://St';

import {ensureActorVisibleInScrollView} from 'resource:///org/gnome/shell/misc/animationUtils.js';

import {FeatureRow} from './feature-row.js';
import {viewFeature} from './feature-view.js';
import {type SnowClient, canCancel} from './snow-client.js';
import type {Feature} from './snow-objects.js';

export class FeatureList extends St.ScrollView {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeatureList'}, this);
    }

    #client: SnowClient;
    #box: St.BoxLayout;
    /** By object path, in the order of the features. */
    #rows = new Map<string, FeatureRow>();

    constructor(client: SnowClient) {
        const box = new St.BoxLayout({
            orientation: Clutter.Orientation.VERTICAL,
            xExpand: true,
        });
        super({
            styleClass: 'snow-feature-list vfade',
            hscrollbarPolicy: St.PolicyType.NEVER,
            vscrollbarPolicy: St.PolicyType.AUTOMATIC,
            overlayScrollbars: true,
            xExpand: true,
            child: box,
        });
        this.#client = client;
        this.#box = box;
    }

    sync(): void {
        const {features, surroundings} = this.#client;
        this.#matchRows(features);
        for (const feature of features) {
            const view = viewFeature(feature, surroundings);
            this.#rows
                .get(feature.path)
                ?.sync(view, view.job !== null && canCancel(this.#client, view.job));
        }
    }

    /** Keeps the rows of the features that are still there: one of them may have the focus. */
    #matchRows(features: readonly Feature[]): void {
        const paths = features.map(feature => feature.path);
        for (const [path, row] of this.#rows) {
            if (paths.includes(path)) continue;
            row.destroy();
            this.#rows.delete(path);
        }
        features.forEach(({path, Name}, index) => {
            let row = this.#rows.get(path);
            if (!row) {
                row = this.#createRow(path, Name);
                this.#rows.set(path, row);
                this.#box.add_child(row);
            }
            if (this.#box.get_child_at_index(index) !== row)
                this.#box.set_child_at_index(row, index);
        });
    }

    #createRow(path: string, name: string): FeatureRow {
        const row = new FeatureRow(
            name,
            isOn => {
                const feature = this.#client.features.find(known => known.path === path);
                if (feature) void this.#client.switchFeature(feature, isOn);
            },
            job => void this.#client.cancel(job),
        );
        for (const widget of row.focusable) {
            widget.connect('key-focus-in', () => {
                // Only for a key: under the pointer the list would run away from it.
                if (Clutter.get_current_event()?.type() === Clutter.EventType.KEY_PRESS)
                    ensureActorVisibleInScrollView(this, widget);
            });
        }
        return row;
    }
}
