// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of undici that http.ts loads alone; undici types its main module only.

declare module 'undici/lib/dispatcher/env-http-proxy-agent.js' {
    import {EnvHttpProxyAgent} from 'undici';

    export default EnvHttpProxyAgent;
}

declare module 'undici/lib/api/api-request.js' {
    import type {Dispatcher} from 'undici';

    const request: (
        this: Dispatcher,
        options: Dispatcher.RequestOptions<null>,
    ) => Promise<Dispatcher.ResponseData<null>>;
    export default request;
}
