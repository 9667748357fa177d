// SPDX-License-Identifier: GPL-2.0-or-later
// The rows of all features, which scroll when they are many.
import GObject from 'gi://GObject';

import {switchFeature} from './feature-calls.js';
import {FeatureRow} from './feature-row.js';
import {viewFeature} from './feature-view.js';
import {ScrollBox} from './scroll-box.js';
import {type SnowClient, canCancel} from './snow-client.js';
import type {Feature} from './snow-objects.js';

export class FeatureList extends ScrollBox {
    static {
        GObject.registerClass({GTypeName: 'SnowControlFeatureList'}, this);
    }

    #client: SnowClient;
    /** By object path, in the order of the features. */
    #rows = new Map<string, FeatureRow>();

    constructor(client: SnowClient) {
        super();
        this.#client = client;
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
                this.box.add_child(row);
            }
            if (this.box.get_child_at_index(index) !== row) this.box.set_child_at_index(row, index);
        });
    }

    #createRow(path: string, name: string): FeatureRow {
        const row = new FeatureRow(
            name,
            isOn => {
                const feature = this.#client.features.find(known => known.path === path);
                if (feature) void switchFeature(this.#client, feature, isOn);
            },
            job => void this.#client.cancel(job),
        );
        for (const widget of row.focusable) this.followFocus(widget);
        return row;
    }
}
