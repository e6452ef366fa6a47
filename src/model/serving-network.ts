/** The one network that the template's serving code loads. */
export const SERVING_NETWORK = {
  name: 'ResNet50',
  /** What gives it to a training with the template. */
  setting: 'BACKBONE=resnet50 and SIZE_INPUT=none',
  /** The same weights on the hub as torchvision's, which the template starts from when it starts from ImageNet. */
  imagenetWeights: 'timm/resnet50.tv2_in1k',
};
