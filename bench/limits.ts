/** The limit of the service: src/domain/callback.ts. */
export const CALLBACKS_PER_TASK = 1000;
