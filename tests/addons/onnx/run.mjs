// Runs what onnx_write_cases has written with onnxruntime-web and compares with what weft gave: within 1e-5, relative to
// values above 1. Fails if a model does not run or is beyond, or if there are fewer models than there should be.
// usage: node run.mjs PACKAGES INDEX.json LEAST
import fs from 'fs';
import path from 'path';
import { createRequire } from 'module';
import { pathToFileURL } from 'url';

const [packages, indexFile, least] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(packages), 'here.js'));
const ort = await import(pathToFileURL(require.resolve('onnxruntime-web')).href);
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const tolerance = 1e-5;
const kinds = {
  f32: ['float32', Float32Array], f64: ['float64', Float64Array], i64: ['int64', BigInt64Array], u8: ['uint8', Uint8Array],
};
const read = ({ file, dtype, shape }) => {
  const [name, List] = kinds[dtype];
  const bytes = new Uint8Array(fs.readFileSync(file));
  return new ort.Tensor(name, new List(bytes.buffer), shape);
};

// The largest difference, relative to values above 1; infinite where one is not finite and the other is another.
function gap(got, wanted) {
  if (got.type !== wanted.type || JSON.stringify(got.dims) !== JSON.stringify(wanted.dims))
    return `got ${got.type} [${got.dims}], needs ${wanted.type} [${wanted.dims}]`;
  let largest = 0;
  for (let i = 0; i < wanted.data.length; ++i) {
    const a = Number(got.data[i]), b = Number(wanted.data[i]);
    if (Object.is(a, b) || a === b) continue;
    const difference = Math.abs(a - b) / Math.max(1, Math.abs(b));
    largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
  }
  return largest;
}

const cases = JSON.parse(fs.readFileSync(indexFile));
let wrong = 0, largest = 0;
for (const one of cases) {
  let result;
  try {
    const session = await ort.InferenceSession.create(fs.readFileSync(one.model));
    const given = Object.fromEntries(session.inputNames.map((name, i) => [name, read(one.inputs[i])]));
    const got = await session.run(given);
    const gaps = session.outputNames.map((name, i) => gap(got[name], read(one.outputs[i])));
    result = gaps.find((g) => typeof g === 'string') ?? Math.max(...gaps);
    await session.release();
  } catch (error) {
    result = String(error.message ?? error).split('\n')[0];
  }
  const bad = typeof result === 'string' || !(result <= tolerance);
  if (bad) ++wrong;
  else largest = Math.max(largest, result);
  console.log(`${bad ? 'WRONG ' : ''}${one.name.padEnd(48)} ${typeof result === 'string' ? result : result.toExponential(1)}`);
}
console.log(`${cases.length} models, ${wrong} wrong; the largest difference of the others ${largest.toExponential(1)}`);
if (cases.length < Number(least)) {
  console.log(`needs at least ${least} models`);
  ++wrong;
}
process.exit(wrong > 0 ? 1 : 0);
