/** The folder that diffusers and optimum export a latent pipeline to: what lies where in it. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../../errors.ts';

/** Files of a pipeline; what a pipeline may do without is undefined where it is not there. */
export interface Parts {
  readonly unet: string;
  readonly decoder: string;
  readonly encoder: string | undefined;
  readonly textEncoder: string | undefined;
  /** A folder. */
  readonly tokenizer: string | undefined;
  readonly scheduler: string;
}

/** @throws UserError naming every part that is missing */
export function partsOf(folder: string): Parts {
  const at = (...names: string[]): string => path.join(folder, ...names);
  const ifThere = (file: string): string | undefined => (existsSync(file) ? file : undefined);
  const needed = {
    unet: at('unet', 'model.onnx'),
    decoder: at('vae_decoder', 'model.onnx'),
    scheduler: at('scheduler', 'scheduler_config.json'),
  };
  const missing = Object.values(needed).filter((file) => !existsSync(file));
  if (missing.length > 0) {
    const names = missing.map((file) => path.relative(folder, file)).join(', ');
    throw new UserError(`${folder}: not a whole pipeline in ONNX: there is no ${names}`, {
      hint: unexported(folder)
        ? `its weights are PyTorch's: optimum-cli export onnx --model ${folder} ${path.basename(folder)}-onnx`
        : 'a pipeline has unet/, vae_decoder/, scheduler/, and for prompts text_encoder/ and tokenizer/: see docs/latent.md',
    });
  }
  return {
    ...needed,
    encoder: ifThere(at('vae_encoder', 'model.onnx')),
    textEncoder: ifThere(at('text_encoder', 'model.onnx')),
    tokenizer: ifThere(at('tokenizer')),
  };
}

/** A part and what lies beside it: its config, its external data. In the order of names. */
export function filesBeside(part: string): string[] {
  const folder = path.dirname(part);
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => path.join(folder, name))
    .sort();
}

function unexported(folder: string): boolean {
  return ['safetensors', 'bin'].some((extension) =>
    existsSync(path.join(folder, 'unet', `diffusion_pytorch_model.${extension}`)),
  );
}
