/**
 * Whether the process was told to stop: known from the signal on, long before a manager is released. The signals are the
 * process's, and so is this.
 */
export const stopping = { isStopping: false }
