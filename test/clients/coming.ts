/** What the server does not do yet and the rows are ready for. Where it does, the constant and its condition go. */

/** A tool's error is two text blocks: the sentence alone, then the JSON. Until then the JSON is all there is. */
export const SENTENCE_COMES_FIRST = false;

/** The result in an ended task of 2026-07-28 has `resultType`, without which the official client takes the task for failed. */
export const RESULT_OF_TASK_IS_WHOLE = false;
