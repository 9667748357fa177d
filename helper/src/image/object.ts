// SPDX-License-Identifier: GPL-2.0-or-later
import {ImageInterface, type ImageProperties} from '../generated/dbus.ts';
import type {Domain, ExtensionsOfNextBoot} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {parseReference} from '../host/image-reference.ts';
import {CHANNEL_NAME, type OfferedChannel, offeredChannels, readChannels} from './channels.ts';
import {detectDriver} from './detect.ts';
import type {ImageDriver} from './driver.ts';
import {type WantedJob, runningJob, workerJob} from './follow-job.ts';
import type {ImageOperation} from './job-request.ts';
import {availableOffer, outcomeNow, readLastCheck} from './last-check.ts';
import {
    type Capability,
    type Deployment,
    type ImageStatus,
    type Offer,
    nextDeployment,
} from './model.ts';
import {readNextSystem} from './next-system.ts';
import {neededCapability} from './operations.ts';
import {StatusReader} from './status-reader.ts';

const PATH = 'Image';

/** The operating system's image on the bus: one object, also where nobody manages it. */
export function imageDomain(
    host: Host,
    drivers: readonly ImageDriver[],
    extensions: Pick<ExtensionsOfNextBoot, 'assess'>,
): Domain {
    const reader = new StatusReader();
    return {
        name: 'image',
        async snapshot() {
            const properties = await readImage(host, drivers, extensions, reader);
            return new Map([[PATH, {[ImageInterface.name]: {...properties}}]]);
        },
        async prepare(path, interfaceName, method, args, options) {
            if (path !== PATH || interfaceName !== ImageInterface.name)
                throw new SnowError('NotFound', `There is no image at ${path}`);
            const driver = await detectDriver(host, drivers);
            if (!driver) throw new SnowError('NotSupported', UNMANAGED);
            const request = await prepareRequest(host, driver, method, args, options);
            // The worker looks again; what a driver is able to do hardly ever changes.
            const {capabilities} = reader.last ?? (await reader.read(host, driver));
            refuseIncapable(driver, capabilities, request.operation);
            return workerJob(host, driver.otherUnits, request);
        },
        async running() {
            const job = await runningJob(host);
            return job ? [job] : [];
        },
    };
}

const UNMANAGED = 'The image of this system is managed by neither bootc, nbc nor systemd-sysupdate';

const nothing: ImageProperties = {
    Driver: '',
    Followed: '',
    Booted: {},
    Staged: {},
    Rollback: {},
    RollbackQueued: false,
    Downloaded: {},
    Available: {},
    Channels: [],
    Capabilities: [],
    Extensions: [],
    RestartNeeded: false,
    LastCheck: 0,
    LastOutcome: '',
    Problem: '',
};

/** The properties as the machine is now. What cannot be read is a Problem. */
export async function readImage(
    host: Host,
    drivers: readonly ImageDriver[],
    extensions: Pick<ExtensionsOfNextBoot, 'assess'>,
    reader = new StatusReader(),
): Promise<ImageProperties> {
    const driver = await detectDriver(host, drivers);
    if (!driver) return {...nothing, Problem: UNMANAGED};
    const problems: string[] = [];
    /** What a part that cannot be read leaves out. */
    const tolerate = async <T>(reading: Promise<T>, without: T): Promise<T> => {
        try {
            return await reading;
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            problems.push(error.message);
            return without;
        }
    };
    const [status, {channels, problems: channelProblems}, check] = await Promise.all([
        tolerate(reader.read(host, driver), null),
        readChannels(host),
        tolerate(readLastCheck(host), null),
    ]);
    const times = {
        LastCheck: check?.time ?? 0,
        LastOutcome: check?.outcome ?? '',
    };
    if (!status) return {...nothing, ...times, Driver: driver.name, Problem: problems[0] ?? ''};

    const next = nextDeployment(status);
    const canSwitch = status.capabilities.includes('switch');
    const [offered, outlooks] = await Promise.all([
        offeredChannels(host, channels, driver.name, status.followed, canSwitch),
        tolerate(assess(host, next, extensions), []),
    ]);
    const offer = availableOffer(check, status);
    return {
        Driver: driver.name,
        Followed: status.followed,
        Booted: describeImage(status.booted),
        Staged: describeImage(status.staged),
        Rollback: describeImage(status.rollback),
        RollbackQueued: status.isRollbackQueued,
        Downloaded: describeImage(status.downloaded),
        Available: describeOffer(status, offer),
        Channels: offered.map(describeChannel),
        Capabilities: status.capabilities,
        Extensions: outlooks.map(outlook => ({...outlook})),
        RestartNeeded: next !== null,
        ...times,
        LastOutcome: outcomeNow(check, status),
        Problem: [status.problem, ...problems, ...channelProblems].find(text => text !== '') ?? '',
    };
}

async function assess(
    host: Host,
    next: Deployment | null,
    extensions: Pick<ExtensionsOfNextBoot, 'assess'>,
) {
    const system = next && (await readNextSystem(host, next));
    return system ? extensions.assess(system) : [];
}

/** The dictionary of the interface: what is not known is not in it. */
function describeImage(deployment: Deployment | null): ImageProperties['Booted'] {
    if (!deployment) return {};
    const {image, transport, slot, isPinned, canSoftReboot} = deployment;
    return {
        ...describeVersion(deployment),
        image,
        ...(transport === null ? {} : {transport}),
        ...(slot === null ? {} : {slot}),
        pinned: isPinned,
        'soft-reboot': canSoftReboot,
    };
}

function describeOffer(status: ImageStatus, offer: Offer | null): ImageProperties['Available'] {
    if (!offer) return {};
    const size = offer.size === null ? {} : {size: offer.size};
    return {...describeVersion(offer), image: status.followed, ...size};
}

function describeVersion({version, digest, timestamp}: Deployment | Offer) {
    return {
        ...(version === null ? {} : {version}),
        ...(digest === null ? {} : {digest}),
        ...(timestamp === null ? {} : {timestamp}),
    };
}

function describeChannel({name, title, description, image, isFollowed}: OfferedChannel) {
    return {name, title, description, image, followed: isFollowed};
}

const nothingMore = {target: '', reference: '', maySoftReboot: false};

/** Throws SnowError InvalidArgs, NotFound. */
async function prepareRequest(
    host: Host,
    driver: ImageDriver,
    method: string,
    args: readonly unknown[],
    options: Readonly<Record<string, unknown>>,
): Promise<WantedJob> {
    const [text] = args;
    switch (method) {
        case 'Check':
            return {...nothingMore, operation: 'check'};
        case 'Update': {
            const isDownload = flag(options, 'download-only', false);
            const maySoftReboot = flag(options, 'soft-reboot', false);
            if (isDownload && maySoftReboot)
                throw new SnowError('InvalidArgs', 'What is only downloaded is not restarted to');
            return {...nothingMore, operation: isDownload ? 'download' : 'update', maySoftReboot};
        }
        case 'Rollback':
            return {...nothingMore, operation: 'rollback'};
        case 'Unstage':
            return {...nothingMore, operation: 'unstage'};
        case 'Switch': {
            if (typeof text !== 'string' || !CHANNEL_NAME.test(text))
                throw new SnowError('InvalidArgs', 'Switch takes the name of a channel');
            const reference = await referenceOf(host, driver, text);
            return {...nothingMore, operation: 'switch', target: text, reference};
        }
        case 'SwitchReference': {
            if (typeof text !== 'string')
                throw new SnowError('InvalidArgs', 'SwitchReference takes a reference');
            parseReference(text);
            return {...nothingMore, operation: 'switch', target: text, reference: text};
        }
        default:
            throw new SnowError('NotSupported', `There is no method ${method}`);
    }
}

/** Throws SnowError NotSupported. */
function refuseIncapable(
    driver: ImageDriver,
    capabilities: readonly Capability[],
    operation: ImageOperation,
): void {
    const needed = neededCapability[operation];
    if (capabilities.includes(needed)) return;
    const text = driver.explain?.(needed) ?? `${driver.name} cannot do this here: ${operation}`;
    throw new SnowError('NotSupported', text);
}

/** Throws SnowError NotFound: only what is in the list may be switched to by its name. */
async function referenceOf(host: Host, driver: ImageDriver, name: string): Promise<string> {
    const {channels} = await readChannels(host);
    const offered = await offeredChannels(host, channels, driver.name, '', true);
    const channel = offered.find(one => one.name === name);
    if (!channel) throw new SnowError('NotFound', `There is no channel ${name} for this system`);
    return channel.image;
}

function flag(options: Readonly<Record<string, unknown>>, name: string, preset: boolean): boolean {
    const value = options[name] ?? preset;
    if (typeof value !== 'boolean')
        throw new SnowError('InvalidArgs', `The option ${name} takes a boolean`);
    return value;
}
