// SPDX-License-Identifier: GPL-2.0-or-later
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Imports point one way, main -> bus, cli -> domain -> host: what each folder must not import. */
const forbidden = {
    'helper/src/host': ['broker', 'bus', 'cli', 'features', 'image', 'intune', 'main'],
    'helper/src/features': ['broker', 'bus', 'cli', 'image', 'intune', 'main'],
    'helper/src/image': ['broker', 'bus', 'cli', 'features', 'intune', 'main'],
    'helper/src/intune': ['broker', 'bus', 'cli', 'features', 'main'],
    'helper/src/broker': ['bus', 'cli', 'features', 'image', 'intune', 'main'],
    'helper/src/bus': ['broker', 'cli', 'features', 'image', 'intune', 'main'],
    'helper/src/cli': ['bus', 'main'],
    'helper/src/main': [],
    'extension/src': ['helper'],
};

/** Only host/ touches the machine. */
const machineModules = [
    'fs',
    'fs/promises',
    'child_process',
    'net',
    'http',
    'https',
    'undici',
    'execa',
].flatMap(name => [name, `node:${name}`]);

export default tseslint.config(
    {ignores: ['dist/', 'out/', '**/generated/']},
    js.configs.recommended,
    ...tseslint.configs.strict,
    {
        rules: {
            '@typescript-eslint/no-unused-vars': [
                'error',
                {argsIgnorePattern: '^_', ignoreUsingDeclarations: true},
            ],
        },
    },
    {
        files: ['**/*.mjs'],
        languageOptions: {globals: {process: 'readonly', console: 'readonly', URL: 'readonly'}},
    },
    ...Object.entries(forbidden).map(([folder, others]) => ({
        files: [`${folder}/**`],
        rules: {
            'no-restricted-imports': [
                'error',
                {
                    paths: folder === 'helper/src/host' ? [] : machineModules,
                    patterns: [
                        {
                            regex: `^(\\.\\./)+(.*/)?(${[...others, 'tests'].join('|')})/`,
                            message: 'Imports point one way: main -> bus, cli -> domain -> host.',
                        },
                    ],
                },
            ],
        },
    })),
    {
        // What esbuild makes of it for Node 20 throws the error of one round again in the next ones.
        files: ['helper/src/**'],
        rules: {
            'no-restricted-syntax': [
                'error',
                {
                    selector:
                        ':matches(ForStatement, ForOfStatement, ForInStatement, WhileStatement, DoWhileStatement) VariableDeclaration[kind=/using$/]',
                    message: 'Put the body of the loop into a function of its own.',
                },
            ],
        },
    },
    {
        // GNOME's rules for JavaScript (gjs and gnome-shell), as far as a formatter does not see to them.
        files: ['extension/src/**'],
        rules: {
            camelcase: [
                'error',
                {properties: 'never', allow: ['^vfunc_', '^on_', '_init', 'snow_control']},
            ],
            'consistent-return': 'error',
            curly: ['error', 'multi-or-nest', 'consistent'],
            'default-case': 'error',
            'dot-notation': 'error',
            eqeqeq: ['error', 'smart'],
            'no-await-in-loop': 'error',
            'no-caller': 'error',
            'no-constant-binary-expression': 'error',
            'no-extra-bind': 'error',
            'no-implicit-coercion': ['error', {allow: ['!!']}],
            'no-iterator': 'error',
            'no-label-var': 'error',
            'no-lonely-if': 'error',
            'no-new-wrappers': 'error',
            'no-proto': 'error',
            'no-shadow-restricted-names': 'error',
            'no-template-curly-in-string': 'error',
            'no-throw-literal': 'error',
            'no-unneeded-ternary': 'error',
            'no-useless-call': 'error',
            'no-useless-computed-key': 'error',
            'no-useless-concat': 'error',
            'no-useless-constructor': 'error',
            'no-useless-rename': 'error',
            'no-useless-return': 'error',
            'no-var': 'error',
            'object-shorthand': 'error',
            'one-var': ['error', 'never'],
            'prefer-arrow-callback': 'error',
            'prefer-const': 'error',
            'prefer-numeric-literals': 'error',
            'prefer-promise-reject-errors': 'error',
            'require-await': 'error',
            'symbol-description': 'error',
            yoda: 'error',
        },
    },
);
