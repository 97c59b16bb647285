// What the conformance tool runs to test Theo as an MCP client: `node mcp-conformance-client.js URL`.
// A Theo that knows the server of that URL is asked twice: once to see which tools its model is
// offered, once with a model that calls every one of them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { start, scratch } from './theo.js';

const url = process.argv.at(-1);
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT || '{}');
const samples = { string: 'a', integer: 3, number: 5, boolean: true, object: {}, array: [] };

// The arguments the scenario asks for, or made-up ones of the right types.
function argumentsFor(tool, offered) {
  const asked = context.toolCalls?.find((c) => `h__${c.name}` === tool.name);
  if (asked) return asked.arguments;
  if (tool.name === 'h__json_schema_echo')
    return { schema: offered.find((t) => t.name === 'h__json_schema_2020_12_tool').parameters };
  const made = {};
  for (const name of tool.parameters.required ?? [])
    made[name] = samples[tool.parameters.properties?.[name]?.type] ?? 'a';
  return made;
}

const mock = new LLMock({ port: 0, strict: true, logLevel: 'silent' });
await mock.start();
const dir = scratch();
writeFileSync(join(dir, 'theo.yaml'), `threads: 1\nmcp: [{name: h, url: "${url}", timeout_ms: 10000}]\n`);
const theo = await start({ dir, env: { THEO_MODEL: 'openai:gpt-test', THEO_OPENAI_BASE_URL: `${mock.url}/v1`,
  OPENAI_API_KEY: 'sk-configured-key-0123456789', THEO_MODEL_FALLBACK: '' } });
mock.on({}, { content: 'Done.' });
await theo.chat('Ana: Theo, which tools have you got?');
const all = mock.getRequests().filter((r) => /chat\/completions/.test(r.path)).at(-1).body.tools.map((t) => t.function);
const offered = all.filter((t) => t.name.startsWith('h__'));
console.log(`offered: ${offered.map((t) => t.name).join(' ')}`);
if (offered.length > 0) {
  mock.reset();
  mock.on({ hasToolResult: false }, { toolCalls: offered.map((tool, i) => (
    { id: `call_${i}`, name: tool.name, arguments: JSON.stringify(argumentsFor(tool, offered)) })) });
  mock.on({ hasToolResult: true }, { content: 'Done.' });
  const { json } = await theo.chat('Ana: Theo, use your tools please');
  console.log(JSON.stringify(json.actions));
}
await theo.stop();
await mock.stop();
