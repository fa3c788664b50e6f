/** The options of metrics that want a network. */
import { option, text } from './options.ts';

export const metricOptions = {
  lpips: option(
    '--lpips <model>',
    'Simple',
    'LPIPS: ONNX graph of two images to a scalar, or feature network with NAME.features.json',
    text,
    'not measured',
  ),
  fid: option('--fid <model>', 'Simple', 'FID: ONNX feature network', text, 'not measured'),
} as const;
