// An issuer for the test of signing in: oidc-provider with one public client. Prints its port, then reads the address
// that people are sent back to, in a line of its standard input.
//
//   node issuer.mjs NODE_MODULES SECONDS-THAT-A-CODE-LIVES
import http from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, codeSeconds] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(join(modules, "oidc-provider/lib/index.js")));

const server = http.createServer();
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

createInterface({ input: process.stdin }).once("line", (redirect) => {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [
      {
        client_id: "ringback-console",
        token_endpoint_auth_method: "none",
        redirect_uris: [redirect],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    clientBasedCORS: () => true,
    pkce: { required: () => true },
    ttl: { AuthorizationCode: Number(codeSeconds) },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: () => ({ org_id: "acme", roles: ["ORG_OWNER"] }),
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: "", audience: "ringback", accessTokenFormat: "jwt" }),
      },
    },
  });
  server.on("request", provider.callback());
  console.log("ready");
});
process.stdin.on("end", () => process.exit());
