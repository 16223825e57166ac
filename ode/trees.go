package ode

// A rootedTree stands for one term of the Taylor series of a Runge-Kutta step. A method has order p
// when its series agrees with that of the solution for every tree with at most p nodes.
type rootedTree struct {
	nodes    int
	children []*rootedTree
}

// rootedTrees returns all rooted trees with 1 to order nodes, smaller trees first. There are 1, 1,
// 2, 4, 9, … with 1, 2, 3, 4, 5, … nodes.
func rootedTrees(order int) []*rootedTree {
	var trees []*rootedTree
	for nodes := 1; nodes <= order; nodes++ {
		var found []*rootedTree
		forests(trees, nodes-1, nil, func(children []*rootedTree) {
			found = append(found, &rootedTree{nodes, append([]*rootedTree(nil), children...)})
		})
		trees = append(trees, found...)
	}
	return trees
}

// forests calls yield with prefix and behind it every multiset of the trees that has the given
// number of nodes. No tree follows one that is earlier in the list, so that no multiset comes
// twice.
func forests(trees []*rootedTree, nodes int, prefix []*rootedTree, yield func([]*rootedTree)) {
	if nodes == 0 {
		yield(prefix)
		return
	}
	for i, tree := range trees {
		if tree.nodes <= nodes {
			forests(trees[:i+1], nodes-tree.nodes, append(prefix, tree), yield)
		}
	}
}

// density returns γ: the number of nodes times the densities of the children.
func (tau *rootedTree) density() float64 {
	gamma := float64(tau.nodes)
	for _, child := range tau.children {
		gamma *= child.density()
	}
	return gamma
}

// elementaryWeights returns Φ_i = Π_children Σ_j a_ij·Φ_j(child) for each stage i.
func (tau *rootedTree) elementaryWeights(a [][]float64) []float64 {
	phi := make([]float64, len(a))
	for i := range phi {
		phi[i] = 1
	}
	for _, child := range tau.children {
		below := child.elementaryWeights(a)
		for i, row := range a {
			var sum float64
			for j, aij := range row {
				sum += aij * below[j]
			}
			phi[i] *= sum
		}
	}
	return phi
}
