// Says what an OpenAPI validator that nobody here wrote finds in a document.
import { validate, dereference } from '@readme/openapi-parser';
import { report } from './input.mjs';

await report(async ({ document }, findings) => {
  const result = await validate(structuredClone(document));
  findings.valid = result.valid;
  findings.specification = result.specification;
  findings.problems = [...(result.errors ?? []), ...(result.warnings ?? [])].map((e) => e.message);
  const whole = await dereference(structuredClone(document)); // every reference leads somewhere
  findings.operations = Object.values(whole.paths).flatMap((p) => Object.keys(p)).length;
});
