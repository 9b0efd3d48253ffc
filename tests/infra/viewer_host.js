// Runs CloudFront's viewer function as CloudFront would: no modules, no timers, strict; one event and one answer a line.
const vm = require('vm');
const lines = require('readline').createInterface({input: process.stdin});
const context = vm.createContext({}, {codeGeneration: {strings: false, wasm: false}});
vm.runInContext("'use strict';\n" + require('fs').readFileSync(process.argv[2], 'utf8'), context);
lines.on('line', (line) => {
    context.given = line;
    console.log(vm.runInContext('JSON.stringify(handler(JSON.parse(given)))', context, {timeout: 1000}));
});
