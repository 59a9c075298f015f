import { redisSettings } from '#kit/storage/redis-settings.ts';

/** Settings of every adapter of the cache over Redis. Stores that work together need the same server and key prefix. */
export const cacheRedisSettings = redisSettings('ragmesh:cache:');

/** Longest time that a command may take before its connection counts as dead, in milliseconds; look-ups wait less. */
export const commandTimeoutMs = 1500;
