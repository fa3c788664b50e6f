/** `dsg`: restoring and making images by guided diffusion sampling. */
export { UserError } from './errors.ts';
export { defaultModel, loadModel, type Model } from './pipeline/model.ts';
export {
  openRestorer,
  type Progress,
  type RestoreOptions,
  type Restorer,
} from './pipeline/restore.ts';
export type { Replay } from './pipeline/replay.ts';
export { openCache, type Cache, type CacheOptions } from './cache/cache.ts';
export { cachePlace, type Place } from './cache/place.ts';
export type { Job, Measured, Wanted } from './pipeline/job.ts';
export type { Method, SamplerChoice } from './pipeline/method.ts';
export type { Fitting, Size } from './pipeline/canvas.ts';
export { tilingFor, type Tiling } from './pipeline/windows.ts';
export type { SessionOptions } from './session/session.ts';
export type { Device } from './session/device.ts';
export type { Memory } from './session/memory.ts';
export type { Precision } from './session/precision.ts';
export type { Step } from './schedules/respace.ts';
export { NonFiniteError } from './samplers/finite.ts';
export { classCondition, type Condition } from './pipeline/condition.ts';
export { promptCondition, type Prompt, type Prompted } from './pipeline/latent/prompt.ts';
export { loadClassifier, type Classifier, type ClassifierGuidance } from './pipeline/classifier.ts';
export type { ClassifierFree } from './guidance/classifier-free.ts';
export { restore, type RestoreEvent, type StreamOptions, type Timing } from './pipeline/stream.ts';
export { posteriorOf, sampleName, samplePosterior, type Posterior } from './pipeline/posterior.ts';
export { generate, type GenerateOptions } from './pipeline/generate.ts';
export { loadLosses, type Wish, type WishedLosses } from './pipeline/losses.ts';
export type { LossKind, LossSpec } from './pipeline/loss-spec.ts';
export type { Loss } from './losses/loss.ts';
export { recipes, type Recipe } from './guidance/recipes.ts';
export { applyOperator, degrade } from './pipeline/degrade.ts';
export { operators } from './operators/operators.ts';
export { boxMask, randomMask } from './operators/inpainting.ts';
export type { ImageShape, Operator } from './operators/operator.ts';
export type { Card, CardFile } from './card/card.ts';
export type { CardOverrides } from './card/override.ts';
export { preset } from './guidance/presets.ts';
export { decodeImage, readImage, type ReadImage } from './image/read.ts';
export { encodeImage, writeImage } from './image/write.ts';
export type { ImageFormat } from './image/formats.ts';
export { psnr } from './metrics/psnr.ts';
export { ssim } from './metrics/ssim.ts';
export { noiseKey, type NoiseKey } from './tensor/noise.ts';
export { readNpy, writeNpy } from './tensor/npy.ts';
export { tensor, type Tensor } from './tensor/tensor.ts';
