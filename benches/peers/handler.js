// The least Node handler: a port from the environment, the same answer.
const { createServer } = require("node:http");

createServer((request, response) => {
  if (request.url === "/") {
    response.end("ok");
    return;
  }
  response.writeHead(404);
  response.end();
}).listen(Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT), "127.0.0.1");
