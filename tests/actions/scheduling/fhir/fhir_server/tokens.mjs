// A token endpoint for SMART Backend Services (client_credentials with private_key_jwt), as strict as the standard allows.
import { createPublicKey, randomBytes, verify } from 'node:crypto';

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const FIVE_MINUTES = 300;
const SKEW = 5;
const now = () => Date.now() / 1000;

class Refused extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

function check(holds, code, text) {
  if (!holds) throw new Refused(code, text);
}

function part(text) {
  try {
    return JSON.parse(Buffer.from(text ?? '', 'base64url'));
  } catch {
    throw new Refused('invalid_client', 'the assertion is no token');
  }
}

// clients: {id: {keys: {kid: {pem, alg}}, scopes: [...], seconds}, ...}; tokens: {token: [scope, ...], ...} known from the start
export class Tokens {
  constructor(url, { clients = {}, tokens = {} }) {
    Object.assign(this, { url, clients, used: new Set(), tokens: new Map() });
    for (const [token, scopes] of Object.entries(tokens)) this.tokens.set(token, { scopes, until: Infinity });
  }

  configuration() {
    return {
      token_endpoint: this.url,
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
      capabilities: ['client-confidential-asymmetric', 'permission-v2'],
    };
  }

  // Those that were issued; the ones known from the start are for ever.
  expire() {
    for (const token of this.tokens.values()) if (token.until < Infinity) token.until = 0;
  }

  issue(text, reply) {
    const form = new URLSearchParams(text);
    try {
      const client = this.authenticate(form);
      check(form.get('grant_type') === 'client_credentials', 'unsupported_grant_type', 'client_credentials only');
      const scopes = (form.get('scope') ?? '').split(' ').filter(Boolean);
      const known = scopes.length > 0 && scopes.every((scope) => client.scopes.includes(scope));
      check(known, 'invalid_scope', 'the client may not have this scope');
      const token = randomBytes(16).toString('hex');
      const seconds = client.seconds ?? 300;
      this.tokens.set(token, { scopes, until: now() + seconds });
      reply(200, { access_token: token, token_type: 'bearer', expires_in: seconds, scope: scopes.join(' ') });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      reply(400, { error: error.code, error_description: error.message });
    }
  }

  authenticate(form) {
    const refuse = (holds, text) => check(holds, 'invalid_client', text);
    refuse(form.get('client_assertion_type') === ASSERTION, 'the type of the assertion is another one');
    const [head, body, signature] = (form.get('client_assertion') ?? '').split('.');
    const header = part(head);
    const claims = part(body);
    const client = this.clients[claims.iss];
    const key = client?.keys[header.kid];
    refuse(client && claims.sub === claims.iss, 'iss and sub do not name a client');
    refuse(key && key.alg === header.alg, 'kid and alg do not name a key of the client');
    const proof = Buffer.from(signature ?? '', 'base64url');
    const input = { key: createPublicKey(key.pem), dsaEncoding: 'ieee-p1363' };
    refuse(verify('sha384', Buffer.from(`${head}.${body}`), input, proof), 'the signature is not the key\'s');
    refuse(claims.aud === this.url, 'aud is not this endpoint');
    refuse(claims.exp > now(), 'the assertion has expired');
    refuse(claims.exp <= now() + FIVE_MINUTES + SKEW, 'exp is more than five minutes ahead');
    refuse(!(claims.iat > now() + SKEW) && !(claims.nbf > now() + SKEW), 'the assertion is from the future');
    refuse(claims.jti && !this.used.has(claims.jti), 'jti has been used');
    this.used.add(claims.jti);
    return client;
  }

  // Returns the status that refuses the request, or undefined. Scopes are SMART's, version 1 or 2.
  refusal(authorization, method, path) {
    const token = this.tokens.get(/^Bearer (\S+)$/.exec(authorization ?? '')?.[1]);
    if (!token || token.until < now()) return 401;
    const type = /^\/(\w+)/.exec(path)?.[1];
    const letter = { GET: path.split('?')[0].split('/').length > 2 ? 'r' : 's', POST: 'c', PUT: 'u' }[method] ?? 'd';
    const may = token.scopes.some((scope) => {
      const [, of, what] = /^system\/(\*|\w+)\.(\*|\w+)/.exec(scope) ?? [];
      const words = { read: 'rs', write: 'cud', '*': 'cruds' };
      return (of === '*' || of === type) && (words[what] ?? what).includes(letter);
    });
    return may ? undefined : 403;
  }
}
