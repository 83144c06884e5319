"""What models are built of: embeddings, encoders, decoders, convolutions, blocks of images, recurrence, pooling."""

from attention_zoo.blocks.conformer import ConformerBlock, ConformerConvolution
from attention_zoo.blocks.conversation import ConversationBlock
from attention_zoo.blocks.convnext import ConvNextBlock
from attention_zoo.blocks.convolution import Convolutions, hide
from attention_zoo.blocks.ctc_head import CtcHead
from attention_zoo.blocks.decode import Generator
from attention_zoo.blocks.decoder import DecoderBlock
from attention_zoo.blocks.embeddings import TokenEmbedding
from attention_zoo.blocks.encoder import EncoderBlock
from attention_zoo.blocks.feed_forward import FeedForward
from attention_zoo.blocks.groups import OverGroups
from attention_zoo.blocks.heads import MaskedMaxPooling, PaddingMask
from attention_zoo.blocks.history import HistoryBlock, HistoryPosition, RecurrentHistory, TransformerHistory
from attention_zoo.blocks.image_encoder import ImageEncoderBlock
from attention_zoo.blocks.modalities import ModalityDropout, Presence, Shown
from attention_zoo.blocks.next_item import AskNext, CandidateScores, ItemTable, StatesAt
from attention_zoo.blocks.patches import PatchMerging, Standardize
from attention_zoo.blocks.pictures import PictureEncoder
from attention_zoo.blocks.places import ClassToken, LastToken, PlaceEmbedding
from attention_zoo.blocks.pyramid import PyramidEncoder
from attention_zoo.blocks.ranker import FieldRanker, TargetRanker, UpTo
from attention_zoo.blocks.recurrent import bidirectional
from attention_zoo.blocks.recurrent_decoder import RecurrentDecoder
from attention_zoo.blocks.residual import ResidualBlock
from attention_zoo.blocks.speech_encoder import ConformerEncoder
from attention_zoo.blocks.streaming_encoder import StreamingEncoder, StreamingStep
from attention_zoo.blocks.subsampling import FrameMask, Subsampling
from attention_zoo.blocks.task_weights import TaskWeights
from attention_zoo.blocks.tied_embedding import TiedEmbedding
from attention_zoo.blocks.transformer_decoder import TransformerDecoder

__all__ = [
    "AskNext",
    "CandidateScores",
    "ClassToken",
    "ConformerBlock",
    "ConformerConvolution",
    "ConformerEncoder",
    "ConvNextBlock",
    "ConversationBlock",
    "Convolutions",
    "CtcHead",
    "DecoderBlock",
    "EncoderBlock",
    "FeedForward",
    "FieldRanker",
    "FrameMask",
    "Generator",
    "HistoryBlock",
    "HistoryPosition",
    "ImageEncoderBlock",
    "ItemTable",
    "LastToken",
    "MaskedMaxPooling",
    "ModalityDropout",
    "OverGroups",
    "PaddingMask",
    "PatchMerging",
    "PictureEncoder",
    "PlaceEmbedding",
    "Presence",
    "PyramidEncoder",
    "RecurrentDecoder",
    "RecurrentHistory",
    "ResidualBlock",
    "Shown",
    "Standardize",
    "StatesAt",
    "StreamingEncoder",
    "StreamingStep",
    "Subsampling",
    "TargetRanker",
    "TaskWeights",
    "TiedEmbedding",
    "TokenEmbedding",
    "TransformerDecoder",
    "TransformerHistory",
    "UpTo",
    "bidirectional",
    "hide",
]
