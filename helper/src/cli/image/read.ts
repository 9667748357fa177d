// SPDX-License-Identifier: GPL-2.0-or-later
// What is only shown.

import {readAccount} from '../../host/passwd.ts';
import {readHistory} from '../../image/history.ts';
import type {CommandAction} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {connect, readFeaturesRestart, readImageState} from './service.ts';
import {channelsText, historyText, statusDocument, statusText} from './view.ts';

export const showStatus: CommandAction = async context => {
    const {output} = context;
    await using client = await connect(context);
    const [state, featuresRestart] = await Promise.all([
        readImageState(client),
        readFeaturesRestart(client),
    ]);
    output.result(statusDocument(state, featuresRestart), () =>
        statusText(state, featuresRestart, output.style),
    );
    return SUCCESS;
};

export const listChannels: CommandAction = async context => {
    const {output} = context;
    await using client = await connect(context);
    const {channels} = await readImageState(client);
    output.result({channels}, () => channelsText(channels, output.style));
    return SUCCESS;
};

/** Read from its file: needs no service. */
export const showHistory: CommandAction = async ({host, output}) => {
    const history = (await readHistory(host)).toReversed();
    const uids = [...new Set(history.map(({uid}) => uid))];
    const accounts = await Promise.all(uids.map(uid => readAccount(host, uid)));
    const names = new Map(
        accounts.flatMap(account => (account ? [[account.uid, account.name]] : [])),
    );
    output.result({history}, () => historyText(history, names, output.style));
    return SUCCESS;
};
