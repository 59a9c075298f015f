// Rewrites package.json for the packages of the image. Plain JavaScript without packages, because it runs before there are any.
//
//   node image-packages.mjs build <adapter…>   what builds the image: nothing that only tests need, and the optional packages of adapters
//   node image-packages.mjs run                what runs: nothing that only builds the console either, nor a second Node
import { readFileSync, writeFileSync } from 'node:fs';

const [step, ...adapters] = process.argv.slice(2);
const description = JSON.parse(readFileSync('package.json', 'utf8'));
const { dependencies, peerDependencies } = description;

if (step === 'build') {
  for (const name of adapters) {
    if (peerDependencies[name] === undefined) {
      throw new Error(
        `ADAPTERS: "${name}" is no optional package; allowed: ${Object.keys(peerDependencies).join(', ')}`,
      );
    }
    dependencies[name] = peerDependencies[name];
  }
  delete description.devDependencies;
} else {
  for (const name of ['node', 'vite', '@vitejs/plugin-react', 'react', 'react-dom']) delete dependencies[name];
}
writeFileSync('package.json', `${JSON.stringify(description, null, 2)}\n`);
