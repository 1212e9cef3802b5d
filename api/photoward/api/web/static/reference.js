// Renders /openapi.json with the vendored Swagger UI. The validator is off: it would call another host.

SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("reference"),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
