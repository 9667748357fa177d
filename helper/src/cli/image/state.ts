// SPDX-License-Identifier: GPL-2.0-or-later
// The image of this machine as the service tells it.

/** An image. Null: not known. JSON shows it as it is. */
export interface ImageSummary {
    readonly version: string | null;
    readonly image: string | null;
    readonly transport: string | null;
    readonly digest: string | null;
    /** When it was built, in seconds since 1970. */
    readonly timestamp: number | null;
    /** Bytes to fetch. */
    readonly size: number | null;
    readonly slot: string | null;
    readonly pinned: boolean;
    /** Whether it can be started without the firmware. */
    readonly softReboot: boolean;
}

export interface ChannelSummary {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly image: string;
    readonly followed: boolean;
}

/** What the next boot means for an extension that is enabled. */
export interface ExtensionSummary {
    readonly feature: string;
    /** ready, missing or unknown */
    readonly state: string;
    readonly version: string;
    readonly text: string;
}

/** Null instead of an image: there is none. */
export interface ImageState {
    /** Empty: nobody manages it. */
    readonly driver: string;
    readonly followed: string;
    readonly booted: ImageSummary | null;
    readonly staged: ImageSummary | null;
    readonly rollback: ImageSummary | null;
    readonly rollbackQueued: boolean;
    readonly downloaded: ImageSummary | null;
    readonly available: ImageSummary | null;
    readonly restartNeeded: boolean;
    readonly extensions: readonly ExtensionSummary[];
    readonly channels: readonly ChannelSummary[];
    readonly capabilities: readonly string[];
    /** Seconds since 1970; 0: not since the boot. */
    readonly lastCheck: number;
    readonly lastOutcome: string;
    readonly problem: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the next boot starts, when that is another image. */
export function nextImage({rollbackQueued, rollback, staged}: ImageState): ImageSummary | null {
    return rollbackQueued ? rollback : staged;
}

/** From the properties on the bus, without their variants. */
export function imageState(properties: Fields): ImageState {
    return {
        driver: text(properties, 'Driver'),
        followed: text(properties, 'Followed'),
        booted: imageSummary(properties['Booted']),
        staged: imageSummary(properties['Staged']),
        rollback: imageSummary(properties['Rollback']),
        rollbackQueued: properties['RollbackQueued'] === true,
        downloaded: imageSummary(properties['Downloaded']),
        available: imageSummary(properties['Available']),
        restartNeeded: properties['RestartNeeded'] === true,
        extensions: list(properties['Extensions']).map(outlook => ({
            feature: text(outlook, 'feature'),
            state: text(outlook, 'state'),
            version: text(outlook, 'version'),
            text: text(outlook, 'text'),
        })),
        channels: list(properties['Channels']).map(channel => ({
            name: text(channel, 'name'),
            title: text(channel, 'title'),
            description: text(channel, 'description'),
            image: text(channel, 'image'),
            followed: channel['followed'] === true,
        })),
        capabilities: array(properties['Capabilities']).map(String),
        lastCheck: number(properties, 'LastCheck') ?? 0,
        lastOutcome: text(properties, 'LastOutcome'),
        problem: text(properties, 'Problem'),
    };
}

function imageSummary(value: unknown): ImageSummary | null {
    const image = fields(value);
    if (Object.keys(image).length === 0) return null;
    return {
        version: text(image, 'version') || null,
        image: text(image, 'image') || null,
        transport: text(image, 'transport') || null,
        digest: text(image, 'digest') || null,
        timestamp: number(image, 'timestamp'),
        size: number(image, 'size'),
        slot: text(image, 'slot') || null,
        pinned: image['pinned'] === true,
        softReboot: image['soft-reboot'] === true,
    };
}

function text(from: Fields, key: string): string {
    const value = from[key];
    return typeof value === 'string' ? value : '';
}

function number(from: Fields, key: string): number | null {
    const value = from[key];
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function array(value: unknown): readonly unknown[] {
    return Array.isArray(value) ? value : [];
}

function list(value: unknown): readonly Fields[] {
    return array(value).map(fields);
}

function fields(value: unknown): Fields {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? {...value} : {};
}
