import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFileRegistry, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FieldRulesSchema } from '#gen/buf/validate/validate_pb.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const clone = mkdtempSync(join(tmpdir(), 'ragmesh-clone-'));

beforeAll(() => {
  for (const name of ['proto', 'buf.yaml']) cpSync(join(root, name), join(clone, name), { recursive: true });
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

const buf = (...args: string[]) =>
  spawnSync(join(root, 'node_modules/.bin/buf'), args, { cwd: clone, shell: process.platform === 'win32' });

test('the contracts build on a clone without packages', () => {
  const { status, stdout, stderr } = buf('build', '-o', '-#format=binpb');
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, stdout));
  expect(registry.getService('ragmesh.retrieval.v1.IndexWriterService')).toBeDefined();
});

test('validate.proto is the genuine file, with every type of rule', () => {
  const rules = FieldRulesSchema.oneofs.flatMap(({ fields }) => fields.map(({ message }) => message as DescMessage));
  expect(rules.map(({ typeName }) => typeName)).toContain('buf.validate.FieldMaskRules');
  expect(FieldRulesSchema.file.proto.options?.goPackage).toBe(
    'buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate',
  );
});
