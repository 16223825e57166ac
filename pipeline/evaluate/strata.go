package evaluate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/fmimg/fmimg/dataset"
)

// proportional returns the numbers of n of the images with the given classes, or of all if there
// are fewer. Of each class it returns the share that the class has of all, to less than one image:
// otherwise scores would vary from set to set mostly by how often classes come. The order depends
// on the seed. Where all have one class it is a random order.
func proportional(seed uint64, n int, classes []int32) []int {
	n = min(n, len(classes))
	left := quotas(n, classes)
	order := dataset.Order(len(classes), seed, 0)
	index := make([]int, 0, n)
	for i := 0; len(index) < n; i++ {
		at := order.At(i)
		if class := classes[at]; left[class] > 0 {
			left[class]--
			index = append(index, at)
		}
	}
	return index
}

// quotas divides n among the classes by their shares. What rounding down leaves goes to the largest
// remainders, and of equal ones to the lowest class.
func quotas(n int, classes []int32) map[int32]int {
	count := map[int32]int{}
	for _, class := range classes {
		count[class]++
	}
	quota, given := map[int32]int{}, 0
	for class, c := range count {
		quota[class] = n * c / len(classes)
		given += quota[class]
	}
	byRemainder := slices.SortedFunc(maps.Keys(count), func(a, b int32) int {
		return cmp.Or(cmp.Compare(n*count[b]%len(classes), n*count[a]%len(classes)), cmp.Compare(a, b))
	})
	for _, class := range byRemainder[:n-given] {
		quota[class]++
	}
	return quota
}

// at returns the classes with the given numbers.
func at(classes []int32, numbers []int) []int {
	chosen := make([]int, len(numbers))
	for i, k := range numbers {
		chosen[i] = int(classes[k])
	}
	return chosen
}
