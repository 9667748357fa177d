// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';

import {asSnowError} from './errno.ts';
import {SnowError} from './error.ts';
import type {Coprocess} from './host.ts';
import {TIMEOUT, programEnvironment} from './programs.ts';

interface Question {
    readonly resolve: (answer: string) => void;
    readonly reject: (error: SnowError) => void;
}

/** See Programs.startCoprocess. */
export async function startCoprocess(
    command: readonly [string, ...string[]],
    directory: string,
): Promise<Coprocess> {
    const [program, ...args] = command;
    const {spawn} = await import('node:child_process');
    const child = spawn(program, args, {
        cwd: directory,
        env: {...process.env, ...programEnvironment},
        stdio: ['pipe', 'pipe', 'ignore'],
    });
    const questions: Question[] = [];
    let failure: SnowError | null = null;
    const fail = (error: SnowError): void => {
        failure ??= error;
        for (const {reject} of questions.splice(0)) reject(failure);
    };
    const closed = once(child, 'close').then(
        () => fail(new SnowError('Failed', `${program} ended early`)),
        (error: unknown) => fail(asSnowError(error, `Cannot run ${program}`)),
    );
    let begun = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = (begun + text).split('\n');
        begun = lines.pop() ?? '';
        for (const line of lines) questions.shift()?.resolve(line);
    });
    // Why it reads no more, its end says.
    child.stdin.on('error', () => undefined);

    return {
        async ask(line, signal) {
            if (signal?.aborted) throw new SnowError('Cancelled', `${program} was not asked`);
            if (failure) throw failure;
            const {promise, question} = makeQuestion();
            questions.push(question);
            child.stdin.write(`${line}\n`);
            const abort = (): void => {
                question.reject(new SnowError('Cancelled', `${program} was stopped`));
            };
            const timer = setTimeout(() => {
                fail(new SnowError('Failed', `${program} does not answer`));
                child.kill('SIGKILL');
            }, TIMEOUT);
            signal?.addEventListener('abort', abort, {once: true});
            try {
                return await promise;
            } finally {
                clearTimeout(timer);
                signal?.removeEventListener('abort', abort);
            }
        },
        async [Symbol.asyncDispose]() {
            child.stdin.end();
            if (questions.length === 0) return;
            // It works on something that nobody waits for any more.
            child.kill('SIGKILL');
            await closed;
        },
    };
}

function makeQuestion(): {readonly promise: Promise<string>; readonly question: Question} {
    let question: Question = {resolve: () => undefined, reject: () => undefined};
    const promise = new Promise<string>((resolve, reject) => (question = {resolve, reject}));
    return {promise, question};
}
