import { z } from 'zod';

/** Settings that every adapter of a tool has: what its requests carry. */
export const identitySettings = {
  headers: z
    .record(z.string(), z.string())
    .meta({ writeOnly: true })
    .describe('Headers of each request, such as a key of the server')
    .default({}),
  identity_header: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/)
    .describe('Header with the signed token of the caller\'s identity; "authorization": as a bearer token')
    .default('authorization'),
};
