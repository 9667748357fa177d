// SPDX-License-Identifier: GPL-2.0-or-later
import js from '@eslint/js';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Imports point one way: main -> bus, cli -> domains -> host. */
const zones = [
    {target: 'helper/src/host', from: 'helper/src', except: ['./host', './generated']},
    {
        target: 'helper/src/features',
        from: 'helper/src',
        except: ['./features', './host', './generated'],
    },
    {
        target: 'helper/src/bus',
        from: 'helper/src',
        except: ['./bus', './features', './host', './generated'],
    },
    {
        target: 'helper/src/cli',
        from: 'helper/src',
        except: ['./cli', './features', './host', './generated'],
    },
    {target: 'helper/src', from: 'extension'},
    {target: 'extension', from: 'helper'},
    {target: ['helper', 'extension'], from: 'tests'},
].map(zone => ({...zone, message: 'Imports point one way: main -> bus, cli -> domain -> host.'}));

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
        plugins: {'import-x': importX},
        rules: {
            'import-x/no-restricted-paths': ['error', {basePath: import.meta.dirname, zones}],
            '@typescript-eslint/no-unused-vars': [
                'error',
                {argsIgnorePattern: '^_', ignoreUsingDeclarations: true},
            ],
        },
        settings: {'import-x/resolver': {node: {extensions: ['.ts', '.mjs', '.js']}}},
    },
    {
        files: ['**/*.mjs'],
        languageOptions: {globals: {process: 'readonly', console: 'readonly', URL: 'readonly'}},
    },
    {
        files: ['helper/src/{features,bus,cli,main}/**'],
        rules: {
            'no-restricted-imports': ['error', {paths: machineModules, patterns: []}],
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
