/** The files that results come in, all of them lossless. */
export const IMAGE_FORMATS = ['png', 'webp', 'tiff', 'npy'] as const;

export type ImageFormat = (typeof IMAGE_FORMATS)[number];
