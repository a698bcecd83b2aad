"""Every public name, as a type checker sees it: checked by mypy --strict in test_typing.py, and never run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import senet_edu
from senet_edu import (
    CBAM,
    ECA,
    ESE,
    ScSE,
    SEBlock,
    analysis,
    check,
    compare_layers,
    convert_state_dict,
    cost,
    create_model,
    data,
    explorables,
    export_onnx,
    find_blocks,
    find_gates,
    fold_gates,
    insert_se,
    lamp,
    list_models,
    load_cifar10,
    load_cifar100,
    load_pretrained,
    make_attention,
    measure,
    override_gates,
    plots,
    receptive,
    record_gates,
    relatives,
    remove_se,
    se_inception_v3,
    senet154,
    train,
    zoo,
)
from senet_edu.audit import CONSTANT, SATURATED, Audit, Row, audit, load_model, settle
from senet_edu.fold import Folding
from senet_edu.gates import Block, Gates
from senet_edu.resnet import FeatureMaps, ResNet

x = torch.zeros(2, 3, 32, 32)
count: int
share: float
image: Tensor
model: ResNet = create_model("se_resnet20", reduction=8)

# Blocks, networks, gates

blocks: list[nn.Module] = [SEBlock(64), ECA(64), ESE(64), CBAM(64), ScSE(64), make_attention("eca", 64)]
blocks += [relatives.NoSqueeze(64), relatives.ConstantGates(64), relatives.CBAMChannel(64), relatives.CBAMSpatial(64)]
blocks += [relatives.SpatialSE(64), relatives.GatherExcite(64), relatives.GatherExciteTheta(64)]
blocks += [relatives.SimAM(64), relatives.CoordinateAttention(64)]
blocks += [*(make(64) for make in relatives.ATTENTION.values())]
with record_gates(model) as gates, override_gates(model, {"layer1.*": 1.0}):
    model(x)
recorded: Gates = gates
shape: torch.Size = gates["layer1.0.se"].shape
image = relatives.over_maps(torch.zeros(2, 3))
image = SEBlock(64).squeeze(x, mask=x[:, 0] > 0)
image = SEBlock(64).rescale(x, SEBlock(64).excite(image))
names: list[str] = [*find_gates(model), *list_models("se_*")]
block: Block = find_blocks(model)["layer1.0.se"]
gate: nn.Module = block.gate
image = block.gates(block.output(x))
insert_se(se_inception_v3(), "Mixed_*", start="identity")
remove_se(model)
folding: Folding = fold_gates(model, x)
share = folding.error
outputs: list[str] = export_onnx(model, Path("model.onnx"))
model.load_state_dict(convert_state_dict(load_pretrained("se_resnet20").state_dict(), "senet_edu", "timm"))
share = max(compare_layers(model, senet154(num_classes=10), x).values())
model.reset_classifier(10)
image = model.forward_features(x)
maps: type[FeatureMaps] = FeatureMaps
networks: list[ResNet] = [
    senet_edu.resnet18(num_classes=10),
    senet_edu.resnet34(num_classes=10),
    senet_edu.resnet50(num_classes=10),
    senet_edu.resnet101(num_classes=10),
    senet_edu.resnet152(num_classes=10),
    senet_edu.resnext50_32x4d(num_classes=10),
    senet_edu.resnext101_32x4d(num_classes=10),
    senet_edu.resnet8(num_classes=10),
    senet_edu.resnet20(num_classes=10),
    senet_edu.resnet32(num_classes=10),
    senet_edu.resnet44(num_classes=10),
    senet_edu.resnet56(num_classes=10),
    senet_edu.resnet110(num_classes=10),
    senet_edu.resnet164(num_classes=10),
    senet_edu.resnet10_cifar(num_classes=10),
    senet_edu.resnet18_cifar(num_classes=10),
    senet_edu.se_resnet18(num_classes=10),
    senet_edu.se_resnet34(num_classes=10),
    senet_edu.se_resnet50(num_classes=10),
    senet_edu.se_resnet101(num_classes=10),
    senet_edu.se_resnet152(num_classes=10),
    senet_edu.se_resnext50_32x4d(num_classes=10),
    senet_edu.se_resnext101_32x4d(num_classes=10),
    senet_edu.se_resnet8(num_classes=10),
    senet_edu.se_resnet20(num_classes=10),
    senet_edu.se_resnet32(num_classes=10),
    senet_edu.se_resnet44(num_classes=10),
    senet_edu.se_resnet56(num_classes=10),
    senet_edu.se_resnet110(num_classes=10),
    senet_edu.se_resnet164(num_classes=10),
    senet_edu.se_resnet10_cifar(num_classes=10),
    senet_edu.se_resnet18_cifar(num_classes=10),
    senet_edu.senet154(num_classes=10),
]

# Do the blocks work, what do they cost, how far do they see?

settle(load_model("timm:seresnet18", options={"num_classes": 10}), x)
table: Audit = audit(model, x)
rows: list[Row] = [row for row in table if row.works and row.mean > SATURATED + CONSTANT]
healthy: bool = table.healthy
count = cost.count_parameters(model) + cost.se_parameters([(3, 256)], bias=True)
count = cost.multiply_adds(model, cost.check_size((3, 32, 32)))
parts: list[cost.Cost] = [*cost.cost_by_module(model, (3, 32, 32)), *cost.cost_by_stage(model, (3, 32, 32))]
parts += cost.se_cost(model, (3, 32, 32))
times: dict[str, cost.Latency] = cost.measure_latency({"a": model}, x)
fields: list[receptive.Field] = receptive.receptive_fields(model)

# Trained weights, data

facts: dict[str, Any] = zoo.manifest()["resnet20"] | zoo.facts("resnet20") | zoo.load_history("resnet20")[0]
same: bool = zoo.load_pretrained is load_pretrained and data.load_cifar10 is load_cifar10
sets: list[data.ImageData] = [load_cifar10(), load_cifar100(download=False), data.load_data(), data.load("cifar10")]
sets += [data.load_cifar100(), data.procedural(train=10, test=10), *(loader() for loader in data.LOADERS.values())]
sources: list[data.Source] = [data.CIFAR10, data.CIFAR100]
folder: Path = data.data_folder()
constants: tuple[Any, ...] = (*data.CLASSES, *data.MEAN, *data.STD)
shifts: Tensor = data.draw_shifts(2, 8, torch.Generator())
image = data.cutout(data.normalize(data.crop_flip(data.pad(x.byte()), torch.arange(2), shifts, 32)), shifts, 8)

# Training

named: train.NamedRecipe = train.RECIPES["laptop"]
recipe: train.Recipe = train.read_recipe({"recipe": {"epochs": 1}})
run: train.Run = train.train(recipe, data=sets[0])
runs: list[train.Run | Exception] = train.train_many([recipe], data=sets[0])
optimizer: torch.optim.Optimizer = train.make_optimizer(model, recipe)
train.make_scheduler(optimizer, recipe, steps=10)
about: dict[str, Any] = train.describe_run(recipe, sets[0], torch.device("cpu"))
dtype: torch.dtype = train.precision(torch.device("cpu"))
share, share = train.evaluate(model, sets[0].test_images, sets[0].test_labels)
train.replace_file(Path("x"), train.profile_steps(recipe, sets[0]).encode())

# Gates as numbers

labels = torch.zeros(2, dtype=torch.int64)
s: dict[str, Tensor] = analysis.gates_of(model, x.byte(), prepare=data.normalize)
analysis.calibrate_batch_norm(model, x.byte())
seen: list[analysis.Observation] = analysis.observations(s, labels)
summary: analysis.Summary = analysis.summarize(s["layer1.0.se"], labels)
first: analysis.Openers = analysis.openers(s, k=3)["layer1.0.se"]
share = analysis.pattern_similarity(s["layer1.0.se"], labels)
means: list[Tensor] = [analysis.class_means(image, labels), analysis.class_share(image, labels)]
means += [analysis.within_class_spread(image, labels), analysis.donors(labels, torch.Generator(), same_class=True)]
kinds: list[str] = [*analysis.INTERVENTIONS, *analysis.BY_PREDICTION, *analysis.BY_CHANCE]
answers: Tensor = analysis.answers(model, x.byte(), [analysis.replace_gates("mean", s, s, labels)])
change: analysis.Effect = analysis.effect(answers[0], answers[1], labels)
share, share = analysis.toward_donor(answers[0], answers[1], labels, labels)

# The lamp

pictures: lamp.Pictures = lamp.held_out(8)
pictures = lamp.pictures(8, torch.Generator())
net: nn.Sequential = lamp.network(lamp.ConstantGate, channels=8)
losses: list[float] = lamp.train(net, steps=10)
share = lamp.error(net, pictures, gates="own") + lamp.swing(net)
image = lamp.gray_world(x) + lamp.white_patch(x) + lamp.replaced(net, x, "swapped")["0"]
measured: tuple[str, ...] = measure.NAMES

# Figures, plots and judges: what each takes stands in its signature, and what each is, here.

figures: list[type[explorables.Explorable]] = [
    explorables.Ablations,
    explorables.Block,
    explorables.Classes,
    explorables.Convolution,
    explorables.Excitation,
    explorables.GateMap,
    explorables.Guess,
    explorables.Interventions,
    explorables.Lamp,
    explorables.LampHero,
    explorables.Learning,
    explorables.Live,
    explorables.Placement,
    explorables.Prediction,
    explorables.Provenance,
    explorables.Reach,
    explorables.ReceptiveField,
    explorables.Squeeze,
    explorables.Verdict,
    explorables.Wild,
]
question = explorables.Guess("why", "Why?", ["a", "b"])
explorables.Verdict(question, "a", "So.")
photos: dict[str, Tensor] = explorables.load_samples()
pictures_drawn: list[Callable[..., plots.Picture]] = [
    plots.accuracy_by_input,
    plots.accuracy_changes,
    plots.added_cost,
    plots.apart,
    plots.augmented,
    plots.bottleneck,
    plots.channels_by_class,
    plots.gate_histograms,
    plots.gate_latency,
    plots.gates_and_norm,
    plots.gates_by_depth,
    plots.gates_in_tiles,
    plots.gates_side_by_side,
    plots.gates_within_classes,
    plots.influence,
    plots.jacobian,
    plots.last_nonlinearities,
    plots.learning_rate,
    plots.map_sides,
    plots.modules_with_se,
    plots.needed_channels,
    plots.paper_errors,
    plots.placements,
    plots.published_gains,
    plots.reduction_sweep,
    plots.rescaled_numbers,
    plots.restored,
    plots.seen_pixels,
    plots.sigmoid_starts,
    plots.squeezed_maps,
    plots.three_squeezes,
    plots.training_curves,
    plots.training_progress,
    plots.warm_starts,
    plots.what_gates_see,
    plots.where_se_costs,
]
tables: list[Callable[..., plots.Table]] = [
    plots.gate_openers,
    plots.interventions_table,
    plots.made_on,
    plots.observations,
    plots.status_board,
]
verdicts: Callable[..., list[plots.Verdict]] = plots.intervention_verdicts
margin: float = plots.of_several({"margin": 1.0}, 3)["margin"]
plots.new_figure(height=3)
judges: list[Callable[..., None]] = [
    check.both_open,
    check.center,
    check.changed_files,
    check.class_selectivity,
    check.copy_weights,
    check.eca,
    check.excite,
    check.falling_class,
    check.fixed_bottleneck,
    check.folded,
    check.frozen_gates,
    check.hidden_width,
    check.key_map,
    check.leaves_half,
    check.make_stage,
    check.most_class_specific,
    check.my_se,
    check.one_cycle,
    check.overflows,
    check.own_model,
    check.paired_interval,
    check.random_flip,
    check.reach_target,
    check.receptive_field,
    check.rerun,
    check.revive,
    check.same_mean,
    check.se34_parameters,
    check.seed_interval,
    check.stage_fields,
    check.starting_bias,
    check.uncalled,
    check.what_follows,
    check.what_it_shows,
    check.whose_gate,
]
marks: tuple[str, ...] = check.TICK, check.CROSS, check.OPEN
