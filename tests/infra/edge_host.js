// Runs CloudFront's functions for transformations as CloudFront would: of modules only crypto and, with the key value
// store, cloudfront; no timers, strict. One line is {"now": seconds, "secrets": {name: value}, "event": event}.
const vm = require('vm');
const lines = require('readline').createInterface({input: process.stdin});
const code = require('fs').readFileSync(process.argv[2], 'utf8');
const plain = code.replace(/^import cf from 'cloudfront';\nimport crypto from 'crypto';\n/, '');
if (/\bimport\b/.test(plain)) {
    throw new Error('only cloudfront and crypto can be imported');
}
let given = {};
const store = {
    get: async (name) => {
        if (!Object.prototype.hasOwnProperty.call(given.secrets, name)) {
            throw new Error('KeyNotFound');
        }
        return given.secrets[name];
    },
};
const context = vm.createContext(
    {cf: {kvs: () => store}, crypto: {createHmac: require('crypto').createHmac}, Buffer: Buffer},
    {codeGeneration: {strings: false, wasm: false}},
);
vm.runInContext("'use strict';\nDate.now = () => clock();\n" + plain, Object.assign(context, {clock: () => given.now * 1000}));
async function answer(line) {
    given = JSON.parse(line);
    context.event = JSON.stringify(given.event);
    const answered = await vm.runInContext('handler(JSON.parse(event))', context, {timeout: 1000});
    console.log(JSON.stringify(answered));
}
(async () => {
    for await (const line of lines) {
        await answer(line);
    }
})();
