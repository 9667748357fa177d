// SPDX-License-Identifier: GPL-2.0-or-later
// What an extension such as linux-entra-sso asks for, and what the broker is asked for it.

/** Of the Edge browser, whose place an extension takes; the broker gives tokens to clients it knows. */
const CLIENT_ID = 'd7b530a4-7680-4c23-a8bf-c52c121d2e87';
const LOGIN = 'https://login.microsoftonline.com';
const AUTHORITY = `${LOGIN}/common`;
const REDIRECT = `${AUTHORITY}/oauth2/nativeclient`;
const DEFAULT_SCOPES = ['https://graph.microsoft.com/.default'];
/** authorizationType of the broker. */
const BY_TOKEN = 1;
const BY_COOKIE = 8;

export interface BrokerRequest {
    /** Method of com.microsoft.identity.Broker1. */
    readonly method: string;
    /** Becomes its third argument. */
    readonly request: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;

/** The name of what is asked for; null: it is no message of an extension. */
export function commandOf(message: unknown): string | null {
    const command = isFields(message) ? message['command'] : undefined;
    return typeof command === 'string' ? command : null;
}

/** Throws TypeError, which says what is missing. */
export function brokerRequest(message: Fields, session: string, version: string): BrokerRequest {
    switch (message['command']) {
        case 'getAccounts':
            return {
                method: 'getAccounts',
                request: {clientId: CLIENT_ID, redirectUri: session},
            };
        case 'getVersion':
            return {method: 'getLinuxBrokerVersion', request: {msalCppVersion: version}};
        case 'acquireTokenSilently':
            return {
                method: 'acquireTokenSilently',
                request: {authParameters: authParameters(message, BY_TOKEN)},
            };
        case 'acquirePrtSsoCookie': {
            const ssoUrl = textIn(message, 'ssoUrl') || `${LOGIN}/`;
            return {
                method: 'acquirePrtSsoCookie',
                request: {
                    account: accountIn(message),
                    authParameters: {...authParameters(message, BY_COOKIE), ssoUrl},
                    mamEnrollment: false,
                    ssoUrl,
                },
            };
        }
        default:
            throw new TypeError('There is no such command');
    }
}

function authParameters(message: Fields, authorizationType: number): Fields {
    const account = accountIn(message);
    return {
        account,
        additionalQueryParametersForAuthorization: {},
        authority: AUTHORITY,
        authorizationType,
        clientId: CLIENT_ID,
        redirectUri: REDIRECT,
        requestedScopes: scopesIn(message),
        username: account['username'],
        uxContextHandle: -1,
    };
}

/** As the broker gave it. */
function accountIn(message: Fields): Fields {
    const {account} = message;
    if (!isFields(account) || typeof account['username'] !== 'string')
        throw new TypeError('There is no account with a username');
    return account;
}

function scopesIn({scopes}: Fields): readonly string[] {
    if (scopes === undefined || scopes === null) return DEFAULT_SCOPES;
    if (!Array.isArray(scopes) || !scopes.every(scope => typeof scope === 'string'))
        throw new TypeError('scopes is a list of texts');
    return scopes.length > 0 ? scopes : DEFAULT_SCOPES;
}

function textIn(message: Fields, key: string): string {
    const value = message[key] ?? '';
    if (typeof value !== 'string') throw new TypeError(`${key} is a text`);
    return value;
}

function isFields(value: unknown): value is Fields {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
